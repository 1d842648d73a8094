"""`count`: the receiver learns how many of its records match, banded, or that they are too few; nobody learns which.

    receiver -> sender   r_c H(x): its records in secret order, each a block of elements in secret order
    sender -> receiver   k H(y): its elements, each once
    receiver -> sender   the tag of r_c k H(y), for every y and every copy c, sorted
    sender               tags of k r_c H(x); a block with a tag among those matches; counts them
    sender -> receiver   the band, or that it is withheld

H hashes to ristretto255; r_c and k are secret scalars of this edge and round. Where a token stands in several records of the receiver,
each occurrence takes another r_c, so that equal tokens never look equal. Meadows (1986); Huberman, Franklin, Hogg (1999); with the
shuffle of De Cristofaro, Gasti, Tsudik (CANS 2012), turned round so that the sender counts.
"""

from blindmatch.protocol.count.receiver import CountReceiver
from blindmatch.protocol.count.sender import CountSender

__all__ = ["CountReceiver", "CountSender"]
