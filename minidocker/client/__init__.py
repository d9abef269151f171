"""docker's command-line client: the words that people type, and the words that they get back."""
