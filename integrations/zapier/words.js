'use strict';

// Zapier wants the names of triggers in title case; the catalogue writes them as sentences.

const SMALL = new Set(['a', 'an', 'and', 'as', 'at', 'by', 'for', 'from', 'in', 'of', 'on', 'or', 'the', 'to', 'with']);

function titleCase(text) {
  const words = text.trim().split(/\s+/);
  return words
    .map((word, index) => {
      const inside = index > 0 && index < words.length - 1;
      return inside && SMALL.has(word) ? word : word.charAt(0).toUpperCase() + word.slice(1);
    })
    .join(' ');
}

module.exports = { titleCase };
