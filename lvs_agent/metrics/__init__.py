"""Everything that Prometheus is told, as one table of metrics that are pure functions of one reading.

``roster``      who is on the page, kept from scrape to scrape
``columns``     intent, state and kernel joined: columns beside the roster
``inventory``   the same as one object a service and a server, for other readers than Prometheus
``reading``     what a scrape is made from
``metric``      the shape of a metric
``services``, ``servers``, ``kernel``, ``agent``   the entries of the ``table``
``selection``   what of the table is shown
``text``        families written as text
``exposition``  the answer to a scrape
``collector``   the table for registries of prometheus_client
``doubts``      what the table says of a configuration
"""
