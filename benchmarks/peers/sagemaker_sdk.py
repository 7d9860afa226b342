"""The SageMaker SDK's own classes on files that somebody wrote in SageMaker's form.

Run as ``python -m benchmarks.peers.sagemaker_sdk S3_URI FOLDER``: below both lie the folders data_quality,
model_quality, bias and attribution, in a bucket and on disk. The last line printed says what the classes read there.
Without them it says nothing, and shows that the environment is there.
"""

import json
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

MONITORS = ("data_quality", "model_quality")


def read(root: str, folder: Path) -> dict[str, Any]:
    """What Statistics, Constraints, ConstraintViolations, MonitoringExecution and a model card find."""
    import boto3
    from sagemaker.model_card.evaluation_metric_parsers import EVALUATION_METRIC_PARSERS, EvaluationMetricTypeEnum
    from sagemaker.model_monitor import Constraints, ConstraintViolations, MonitoringExecution, Statistics
    from sagemaker.processing import ProcessingOutput
    from sagemaker.session import Session

    session = Session(boto3.Session(region_name="us-east-1"), default_bucket=root.split("/")[2])
    found: dict[str, Any] = {}
    for name in MONITORS:
        at = f"{root}/{name}"
        known = {
            "statistics": Statistics.from_s3_uri(f"{at}/statistics.json", sagemaker_session=session),
            "constraints": Constraints.from_s3_uri(f"{at}/constraints.json", sagemaker_session=session),
            "violations": ConstraintViolations.from_s3_uri(
                f"{at}/constraint_violations.json", sagemaker_session=session
            ),
        }
        execution = MonitoringExecution(session, "job", [], ProcessingOutput(source="out", destination=at))
        assert execution.statistics().body_dict == known["statistics"].body_dict
        assert execution.constraint_violations().body_dict == known["violations"].body_dict
        uploaded = Statistics.from_file_path(str(folder / name / "statistics.json"), sagemaker_session=session)
        assert uploaded.body_dict == known["statistics"].body_dict
        found[name] = {kind: deepcopy(one.body_dict) for kind, one in known.items()}
        if name == "data_quality":
            first = known["constraints"].body_dict["features"][0]["name"]
            known["constraints"].set_monitoring(False, first)
            known["constraints"].session = session
            known["constraints"].save(f"{at}/edited.json")
    cards = {
        "model_quality/statistics.json": EvaluationMetricTypeEnum.BINARY_CLASSIFICATION,
        "bias/analysis.json": EvaluationMetricTypeEnum.CLARIFY_BIAS,
        "attribution/analysis.json": EvaluationMetricTypeEnum.CLARIFY_EXPLAINABILITY,
    }
    for file, kind in cards.items():
        groups = EVALUATION_METRIC_PARSERS[kind].run(json.loads((folder / file).read_text()))["metric_groups"]
        found[file] = {group["name"]: [one["name"] for one in group["metric_data"]] for group in groups}
    return found


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    if len(sys.argv) > 1:
        print(json.dumps(read(sys.argv[1], Path(sys.argv[2]))))
