"""Evaluation of a linkage schema on two labelled lists: real keys and tokens, without a node.

```
two tables, truth ─ labelled_lists ─> columns ─ trial: rates, keys, tokens ─ matching ─> pairs ─ measures ─> figures, chart
                                                                         └ protocol_run: the same through the protocol
```
The labelled data are in memory only; nothing is stored.
"""

from blindmatch.node.evaluation.chart import draw
from blindmatch.node.evaluation.labelled_lists import View, read_labelled
from blindmatch.node.evaluation.trial import TrialResult, panels, run_trial

__all__ = ["TrialResult", "View", "draw", "panels", "read_labelled", "run_trial"]
