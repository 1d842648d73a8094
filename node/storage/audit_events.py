"""The six events of the audit log. Light to import, so that help texts can list them."""

from enum import StrEnum


class AuditEvent(StrEnum):
    """What happened, in the terms of the Data Protection Act 2018 s.62."""

    COLLECTION = "collection"  # records were imported
    ALTERATION = "alteration"  # keys, settings, agreements or collections were changed
    CONSULTATION = "consultation"  # leads or records were read
    DISCLOSURE = "disclosure"  # data went to another agency, or to a file
    COMBINATION = "combination"  # this agency's records were compared with another's
    ERASURE = "erasure"  # records or leads were erased
