"""The testimonials domain: a customer is invited, records clips behind a personal link, and is reviewed."""
