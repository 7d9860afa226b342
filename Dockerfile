# Two images for docker-compose.yml: Airflow with this package, as locked in uv.lock, and an S3 server. See docs/compose.md.

FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/venv
WORKDIR /opt/monitor
COPY LICENSE README.md pyproject.toml uv.lock ./
# Others' packages first: they stay in the cache while ours changes.
RUN uv sync --locked --no-default-groups --group team --no-install-project
COPY src src
RUN uv sync --locked --no-default-groups --group team --no-editable

FROM python:3.11-slim-bookworm AS airflow
RUN useradd --uid 50000 --no-create-home monitor \
    && install --directory --owner=monitor /var/lib/airflow /var/lib/airflow/logs /var/lib/monitor
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /opt/monitor
COPY . .
USER monitor

FROM debian:bookworm-slim AS s3
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ceph-common ceph-mgr ceph-mon ceph-osd python3 radosgw \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --no-create-home monitor \
    && install --directory --owner=monitor /var/lib/s3
WORKDIR /opt/monitor
COPY scripts/s3_gateway.py scripts/
USER monitor
