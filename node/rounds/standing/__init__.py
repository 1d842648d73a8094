"""Rounds and checks under standing agreements.

    full round ──> an epoch opens ──> delta rounds advance it, single checks use it ──> it ends; the next round is a full one

`epochs` is the life of an epoch, `stored_epoch` and `epoch_files` its row and its lists; `receiver`, `sender`, `inbound` and `service`
are its rounds; `checked_record`, `outbound_checks`, `inbound_checks` and `check_lookup` are the checks of single records.
"""
