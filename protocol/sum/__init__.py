"""`sum`: the receiver learns the sum of a value over the sender's entries that match, or that these are too few.

    receiver -> sender   r_c H(x): its elements, each once for every copy c, each copy in a secret order
    sender -> receiver   for each entry: k_c H(y) of its elements, and its value encrypted under both sides' joint key
    receiver -> sender   for each entry, entries and elements shuffled: the tags of r_c k_c H(y), the value re-randomised
    sender               tags of k_c r_c H(x); an entry with a tag among those matches; adds the values of matching entries
    sender -> receiver   their sum, re-randomised, the sender's half of the decryption done; or that it is withheld

Where a token stands in several entries, each occurrence takes another copy c: equal tokens look equal to neither side. Values are
encrypted by ElGamal in the exponent (`elgamal`), so a sum is found as a small logarithm (`logarithm`). Ion et al., Private
Intersection-Sum Protocols (2017) and On Deploying Secure Computing (2019), with the roles of key holder and matcher turned round,
and the key split between both sides.
"""

from blindmatch.protocol.sum.elgamal import Opening, check_opening
from blindmatch.protocol.sum.receiver import SumReceiver
from blindmatch.protocol.sum.sender import SumSender

__all__ = ["Opening", "SumReceiver", "SumSender", "check_opening"]
