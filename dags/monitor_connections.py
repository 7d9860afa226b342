"""Airflow connections to plain credentials: the package below has never heard of Airflow."""

from datetime import timedelta
from typing import Any

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.io.store import Credentials
from monitor_tasks.site import Site
from monitor_tasks.value import UserError

FRESH = timedelta(minutes=5)
"""How long credentials are used before the session is asked again; it renews a role's own before they expire."""


def credentials(endpoint: Endpoint) -> Credentials | None:
    """What the endpoint's Airflow connection holds, as plain values for the store; a role's are renewed in long tasks.

    Raises:
        UserError: there is no such connection, or it gives none; boto's default chain never stands in for it.
    """
    if endpoint.aws_conn_id is None:
        return None
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
    from airflow.sdk.log import mask_secret
    from botocore.exceptions import BotoCoreError, ClientError
    from obstore.auth.boto3 import Boto3CredentialProvider

    said = f"{endpoint.endpoint_name}: aws_conn_id: {endpoint.aws_conn_id}"
    try:
        BaseHook.get_connection(endpoint.aws_conn_id)  # the hook would fall back to boto's default chain in silence
    except AirflowNotFoundException as error:
        raise UserError(f"{said}: Airflow has no such connection; add it, or correct the endpoint's file") from error
    hook = AwsBaseHook(aws_conn_id=endpoint.aws_conn_id, client_type="s3")
    try:
        session = hook.get_session()
        keys = session.get_credentials()
        if keys is None:
            raise UserError(f"{said}: holds neither keys nor a role or profile, and the machine has none of its own")
        held = keys.get_frozen_credentials()
    except (AirflowException, BotoCoreError, ClientError) as error:
        raise UserError(f"{said}: gives no credentials: {error}; correct the connection") from error
    for secret in filter(None, (held.secret_key, held.token)):
        mask_secret(secret)
    known = {
        "aws_region": hook.region_name or session.region_name,
        "aws_endpoint": hook.conn_config.get_service_endpoint_url("s3"),
    }
    provider = Boto3CredentialProvider(session, ttl=FRESH)
    return {"credential_provider": provider, **{name: value for name, value in known.items() if value}}


def options(endpoint: Endpoint, service: str) -> dict[str, Any]:
    """What a boto3 client of an AWS service is made with: plain keys, region and address of the same connection."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    if endpoint.aws_conn_id is None:
        return {}
    credentials(endpoint)  # one clear error where the connection is not there or gives none
    hook = AwsBaseHook(aws_conn_id=endpoint.aws_conn_id, client_type=service)
    session = hook.get_session()
    held = session.get_credentials().get_frozen_credentials()
    known = {
        "aws_access_key_id": held.access_key,
        "aws_secret_access_key": held.secret_key,
        "aws_session_token": held.token,
        "region_name": hook.region_name or session.region_name,
        "endpoint_url": hook.conn_config.get_service_endpoint_url(service),
    }
    return {name: value for name, value in known.items() if value}


def lineage(endpoint: Endpoint) -> Any:
    """The client of Airflow's OpenLineage provider, where the endpoint asks for it."""
    if not endpoint.emit.openlineage:
        return None
    try:
        from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
    except ImportError as error:
        said = f"{endpoint.endpoint_name}: emit.openlineage needs apache-airflow-providers-openlineage"
        raise UserError(f"{said}; install it where Airflow's tasks run") from error
    return OpenLineageAdapter().get_or_create_openlineage_client()


def site(endpoint: Endpoint) -> Site:
    """The endpoint with the credentials of its connection."""
    return Site(endpoint, credentials(endpoint))
