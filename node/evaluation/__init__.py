"""What a linkage schema achieves on two lists whose truth is known: real keys, real tokens, no node.

```
two tables, truth ─ reading ─> columns ─ trial: rates, keys, tokens ─ matching ─> pairs ─ measures ─> figures, picture
                                                                  └ sessions: the same through the protocol
```
Labelled data stays in memory; nothing is stored.
"""

from blindmatch.node.evaluation.chart import draw
from blindmatch.node.evaluation.labelled_lists import LabelledLists, View, read_labelled
from blindmatch.node.evaluation.measures import Quality
from blindmatch.node.evaluation.trial import TrialResult, panels, run_trial

__all__ = ["LabelledLists", "Quality", "TrialResult", "View", "draw", "panels", "read_labelled", "run_trial"]
