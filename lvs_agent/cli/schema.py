"""``lvs-agent schema``: what editors complete and check a configuration with."""

from __future__ import annotations

import json

import click

from lvs_agent.config.jsonschema import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
