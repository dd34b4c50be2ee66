"""What comes from users, checked, and what they are told: errors, warnings, messages."""
