"""What a configuration file may say: one model a table, one field a key.

A key is declared in one place, the field of a model: its type and limits, what holds where nobody writes it, the text
for people below it, on which levels it may stand (the classes that have the field) and its marks (``keys``): whether it
is inherited, whether only a start takes it in, whether other keys are judged by it.  Everything else follows: what is
read, what is inherited, the JSON Schema, docs/configuration.md, and how the conversion of an ldirectord.cf shortens it.
What a key *means* is decided in ``resolve``; tests name the key for which that, or an example, is missing.
"""
