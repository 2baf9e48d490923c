"""Both end-to-end tests fill the queue that ships, on one Label Studio: each begins without the other's project."""

import httpx
import pytest

from conftest import LabelStudioServer


@pytest.fixture
def clear_label_studio(label_studio: LabelStudioServer) -> LabelStudioServer:
    headers = {"Authorization": f"Token {label_studio.api_key.get_secret_value()}"}
    with httpx.Client(base_url=label_studio.url, headers=headers, timeout=60) as client:
        answer = client.get("/api/projects/", params={"page_size": 1000}).raise_for_status()
        for project in answer.json()["results"]:
            if project["title"].startswith("answer-quality "):
                client.delete(f"/api/projects/{project['id']}/").raise_for_status()
    return label_studio
