"""Everything that Prometheus is told, as one table of metrics that are pure functions of one reading.

``inventory``   intent, state and kernel joined to one entry a service and a server
``reading``     what a scrape is made from, and the shape of a metric
``services``, ``servers``, ``kernel``, ``agent``   the entries of the table
``text``        the table written as text
``exposition``  the answer to a scrape; alone in knowing prometheus_client
"""
