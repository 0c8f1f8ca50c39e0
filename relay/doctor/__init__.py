"""Doctor: looks at a whole installation, and says what is wrong, what needs a person, and what that person does."""
