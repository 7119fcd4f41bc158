"""What a configuration file may say: one model a table, one field a key.

A key is declared in one place, the field of a model: its type and limits, its default, its docstring, the levels on
which it is allowed (the classes that have the field) and its marks (``keys``): whether it is inherited, whether it
takes effect only at a start, whether other keys depend on it. Everything else is derived: validation, inheritance, the
JSON Schema, docs/configuration.md, and how the conversion of an ldirectord.cf shortens it. What a key *means* is
decided in ``resolve``; tests name each key for which that, or an example, is missing.
"""
