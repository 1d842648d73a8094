"""One side of a comparison by `spu` (SecretFlow): a CSV file in, the intersection out as a CSV file.

Runs in a Python that has `spu`, not in ours: `python -I party_spu.py SETTINGS`, where SETTINGS is a JSON object:
rank (0 receives), ports (of both), protocol, curve, input, output, column,
report (a JSON object, written at the end).
"""

import json
import sys
from pathlib import Path
from typing import Any

from spu import libspu, psi


def main(settings: dict[str, Any]) -> dict[str, int]:
    """Run one side; returns the number of records and of common records."""
    link = libspu.link
    desc = link.Desc()
    for rank, port in enumerate(settings["ports"]):
        desc.add_party(f"party{rank}", f"127.0.0.1:{port}")
    more = {}
    if settings["curve"]:
        curve = getattr(psi.EllipticCurveType, settings["curve"])
        more["ecdh_params"] = psi.EcdhParams(curve=curve)
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(
            protocol=getattr(psi.PsiProtocol, settings["protocol"]),
            receiver_rank=0,
            broadcast_result=False,
            **more,
        ),
        input_params=psi.InputParams(
            type=psi.SourceType.SOURCE_TYPE_FILE_CSV,
            path=settings["input"],
            selected_keys=[settings["column"]],
            keys_unique=True,
        ),
        output_params=psi.OutputParams(
            type=psi.SourceType.SOURCE_TYPE_FILE_CSV,
            path=settings["output"],
            disable_alignment=True,
        ),
    )
    context = link.create_brpc(desc, settings["rank"])
    report = psi.psi_execute(config, context)
    context.stop_link()
    return {"records": report.original_count, "found": report.intersection_count}


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    Path(wanted["report"]).write_text(json.dumps(main(wanted)), encoding="ascii")
