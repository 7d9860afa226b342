"""Airflow connections to plain credentials: the package below has never heard of Airflow."""

from monitor_tasks.endpoint import Endpoint
from monitor_tasks.site import Site


def credentials(endpoint: Endpoint) -> dict[str, str] | None:
    """What the endpoint's Airflow connection holds, as plain values for the store."""
    if endpoint.aws_conn_id is None:
        return None
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
    from airflow.sdk import BaseHook

    BaseHook.get_connection(endpoint.aws_conn_id)  # the hook would fall back to boto's default chain in silence
    hook = AwsBaseHook(aws_conn_id=endpoint.aws_conn_id, client_type="s3")
    keys = hook.get_credentials()
    known = {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret_key,
        "aws_session_token": keys.token,
        "aws_region": hook.region_name,
        "aws_endpoint": hook.conn_config.get_service_endpoint_url("s3"),
    }
    return {name: value for name, value in known.items() if value}


def site(endpoint: Endpoint) -> Site:
    """The endpoint with the credentials of its connection."""
    return Site(endpoint, credentials(endpoint))
