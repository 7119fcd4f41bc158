"""lvs-agent: health controller and Prometheus exporter for a Linux Virtual Server director."""

__version__ = "0.1.0"
