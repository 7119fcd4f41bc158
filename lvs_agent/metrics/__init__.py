"""The metrics: one table, whose entries are pure functions of one reading; the facts come from ``lvs_agent.view``.

``reading``     what a scrape is made from
``metric``      the shape of a metric
``services``, ``servers``, ``kernel``, ``agent``   the entries of the ``table``
``selection``   what of the table is shown
``text``        families written as text
``exposition``  the answer to a scrape
``config_warnings``   what the table says of a configuration
"""
