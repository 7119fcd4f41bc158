"""The limits of the alert rules, for thresholds: a panel and an alert turn red at the same value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The alert ``alert`` fires above ``value``, or with ``below`` under it."""

    alert: str
    value: float
    below: bool = False


CAPACITY = Limit(alert="LVSServiceCapacityLow", value=0.5, below=True)
TRANSITIONS = Limit(alert="LVSRealServerFlapping", value=5)
CHECK_TIME = Limit(alert="LVSCheckSlow", value=0.8)
DRIFT = Limit(alert="LVSTableDrift", value=0)
REPAIRS = Limit(alert="LVSTableContended", value=3)
IMBALANCE = Limit(alert="LVSConnectionImbalance", value=3)
RESTARTS = Limit(alert="LVSAgentRestarting", value=2)
KERNEL_ERRORS = Limit(alert="LVSAgentIPVSErrors", value=0)
HASHES = Limit(alert="LVSAgentConfigMismatch", value=1)
DELAY = Limit(alert="LVSAgentSaturated", value=1)
HIDDEN = Limit(alert="LVSAgentHiddenEntries", value=0)
CERTIFICATE = Limit(alert="LVSCertificateExpiring", value=21 * 86_400, below=True)
CERTIFICATE_AT_LAST = Limit(alert="LVSCertificateExpiring", value=3 * 86_400, below=True)

LIMITS = (
    CAPACITY,
    TRANSITIONS,
    CHECK_TIME,
    DRIFT,
    REPAIRS,
    IMBALANCE,
    RESTARTS,
    KERNEL_ERRORS,
    HASHES,
    DELAY,
    HIDDEN,
    CERTIFICATE,
    CERTIFICATE_AT_LAST,
)
"""All limits; other thresholds are 0."""
