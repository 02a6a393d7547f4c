"""Every metric, in one list, with a sentence each. Base units; labels from short fixed lists."""

from prometheus_client import Counter

# Messaging

RELAYED = Counter("hartline_events_relayed_total", "Events that the bus acknowledged.")
RECEIVED = Counter("hartline_events_received_total", "Events that were new to the inbox.")
DUPLICATES = Counter("hartline_events_duplicate_total", "Events that the inbox already knew.")
QUARANTINED = Counter(
    "hartline_records_quarantined_total", "Records of the bus that could not be read, or forked."
)
HANDLED = Counter("hartline_events_handled_total", "Events whose effects are committed.")
PARKED = Counter("hartline_subjects_parked_total", "Subjects stopped until a person looks.")
LEASES_LOST = Counter(
    "hartline_leases_lost_total", "Times that work was dropped because its lease had passed on."
)
RELAY_LEADERSHIP_LOST = Counter(
    "hartline_relay_leadership_lost_total", "Times that a relay found another one leading."
)
