"""Smaller and faster networks from a given one; nothing here is imported when a model is used."""
