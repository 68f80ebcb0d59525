"""How what people write is spoken: one module a family, each a table of patterns and their readers."""
