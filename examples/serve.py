"""The demo's model behind FastAPI, with its calls captured: the loan-scoring endpoint, served for real.

python -m examples.serve [--port 8000] [--sampling-percentage 100]
"""

import csv
import json
from pathlib import Path
from typing import Annotated

import joblib
import pandas as pd
import typer
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from sklearn.pipeline import Pipeline

from examples.airflow_processes import PROJECT
from examples.loan_scoring import model
from examples.loan_scoring.simulate import train
from examples.loan_scoring.traffic import ENDPOINT
from examples.loan_scoring.world import FEATURES, NUMBERS
from monitor_tasks.capture import CaptureMiddleware, CaptureWriter, DataCaptureConfig

APPLICANT = "42000,11500,36,0.31,12,5,0,8,rent,car,north,30-44"


def service(pipeline: Pipeline, writer: CaptureWriter) -> FastAPI:
    """``POST /invocations`` scores one applicant: a line of CSV, or a flat JSON object."""
    app = FastAPI(title=ENDPOINT)
    app.add_middleware(CaptureMiddleware, writer=writer)

    @app.get("/ping")
    def ping() -> dict[str, int]:
        return writer.counts._asdict()

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        text, content_type = (await request.body()).decode(), request.headers.get("content-type", "text/csv")
        is_json = content_type.startswith("application/json")
        try:
            cells = json.loads(text) if is_json else dict(zip(FEATURES, next(csv.reader([text.strip()])), strict=True))
            probability = await run_in_threadpool(score, pipeline, cells)
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            raise HTTPException(400, f"send the {len(FEATURES)} features {', '.join(FEATURES)}: {error}") from error
        if is_json:
            return Response(json.dumps({"probability": probability}), media_type="application/json")
        return Response(str(probability), media_type="text/csv")

    return app


def score(pipeline: Pipeline, cells: dict[str, str | float | None]) -> float:
    """The probability that the applicant defaults; an empty cell is a missing one."""
    applicant = pd.DataFrame([{name: cells[name] for name in FEATURES}]).replace("", None)
    applicant[list(NUMBERS)] = applicant[list(NUMBERS)].apply(pd.to_numeric)
    return float(model.predict_proba(pipeline, applicant)[0])


def known_model(home: Path) -> Pipeline:
    """The model that the demo left below `home`; trained and left there where there is none."""
    path = home / "model" / "model.joblib"
    if not path.exists():
        model.save(train(seed=7), path.parent)
    return joblib.load(path)


def main(
    home: Annotated[Path, typer.Option(help="Folder of the model and of the captured calls.")] = PROJECT / ".demo",
    port: Annotated[int, typer.Option()] = 8000,
    sampling_percentage: Annotated[int, typer.Option(min=0, max=100, help="How many of a hundred calls.")] = 100,
) -> None:
    """Serve the demo's model on this machine until Ctrl-C, its calls captured where the demo's endpoint reads them."""
    config = DataCaptureConfig(
        endpoint_name=ENDPOINT,
        destination=str(home / "capture"),
        initial_sampling_percentage=sampling_percentage,
        file_seconds=10,
    )
    app = service(known_model(home), CaptureWriter(config))
    typer.echo(f"curl -H 'Content-Type: text/csv' -d '{APPLICANT}' http://127.0.0.1:{port}/invocations")
    uvicorn.run(app, port=port)


if __name__ == "__main__":
    typer.run(main)
