"""Write users to all readers of a site, and list the readers that do not have them.

A second run with the same name repeats nothing that was done: it reads the outcomes, and sends what was not accepted.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import requests

API = os.environ["PUSHD_URL"] + "/v1"
SITE, RUN = sys.argv[1:]  # such as: Lisbon 2027-01-15
USERS = [{"id": 7, "name": "Ada", "registration": "7"}, {"id": 8, "name": "Grace", "registration": "8"}]
COMMAND = {
    "payload": {"endpoint": "create_or_modify_objects", "body": {"object": "users", "values": USERS}},
    "delivery": "at_least_once",  # writing the same users twice does no harm
    "ttl": 3600,
}

AUTHORIZATION = {"Authorization": f"Bearer {os.environ['PUSHD_TOKEN']}"}


def readers():
    """The ids of all readers of the site."""
    page = {"next": ""}
    while page["next"] is not None:
        query = {"site": SITE, "limit": 500} | ({"cursor": page["next"]} if page["next"] else {})
        response = requests.get(f"{API}/devices", params=query, headers=AUTHORIZATION, timeout=30)
        response.raise_for_status()
        page = response.json()
        yield from (device["id"] for device in page["items"])


def write(reader):
    """Write the users to one reader: the state of the command, and what is wrong."""
    url = f"{API}/devices/{reader}/commands?wait=20"
    headers = AUTHORIZATION | {"Idempotency-Key": f"users-{RUN}"}
    try:
        response = requests.post(url, json=COMMAND, headers=headers, timeout=30)
        answer = response.json()
    except requests.RequestException as error:
        return "no answer", str(error)
    if response.status_code >= 400:
        return "refused", answer["detail"]
    return answer["state"], answer["error"] or ""


ids = list(readers())
with ThreadPoolExecutor(10) as pool:
    outcomes = list(zip(ids, pool.map(write, ids), strict=True))
failed = [(reader, state, detail) for reader, (state, detail) in outcomes if state != "succeeded"]
for reader, state, detail in failed:
    print(f"{reader}  {state}  {detail}")
print(f"{len(ids) - len(failed)} of {len(ids)} readers have the users")
sys.exit(1 if failed else 0)
