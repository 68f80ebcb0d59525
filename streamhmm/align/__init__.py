"""Text against audio: when each word and phone is spoken."""
