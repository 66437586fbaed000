"""moto as MediaPackage and as a second interpreter of the state machine, on 127.0.0.1.

    moto_server.py <port> <channels.json>

MOTO_PORT says where the functions are that the state machine calls. The file holds what MediaPackage would have made up, the
inputs of each channel, and where each input's server keeps its users:

    {"<channel id>": [{"id": "..", "url": "..", "username": "..", "password": "..", "realm": "..", "users": "<path>"}, ..]}
"""

import hashlib
import json
import re
import secrets
import sys
from types import SimpleNamespace

import boto3
import jsonata
from moto.mediapackage import responses, urls
from moto.server import main
from moto.stepfunctions.parser.asl.jsonata import jsonata as evaluator
from moto.stepfunctions.parser.asl.utils import boto_client

port, path = sys.argv[1:]


def channels():
    with open(path) as file:
        return json.load(file)


def ingest(endpoints):
    told = ("id", "url", "username", "password")
    return {"ingestEndpoints": [{key: one[key] for key in told} for one in endpoints]}


def describe_channel(self):
    channel = self._get_param("id") or re.search(r"/channels/([^/]+)", self.path).group(1)
    return json.dumps({"id": channel, "hlsIngest": ingest(channels()[channel])})


def rotate_ingest_endpoint_credentials(self):
    channel, one = re.search(r"/channels/([^/]+)/ingest_endpoints/([^/]+)/", self.path).groups()
    known = channels()
    for endpoint in known[channel]:
        if endpoint["id"] == one:
            endpoint["password"] = secrets.token_hex(16)
            words = [endpoint["username"], endpoint["realm"]]
            digest = hashlib.md5(":".join([*words, endpoint["password"]]).encode()).hexdigest()
            with open(endpoint["users"], "w") as users:
                users.write(":".join([*words, digest]))
    with open(path, "w") as file:
        json.dump(known, file)
    return json.dumps({"id": channel, "hlsIngest": ingest(known[channel])})


responses.MediaPackageResponse.describe_channel = describe_channel
responses.MediaPackageResponse.rotate_ingest_endpoint_credentials = rotate_ingest_endpoint_credentials
urls.url_paths["{0}/channels/(?P<id>[^/.]+)/ingest_endpoints/(?P<endpoint>[^/.]+)/credentials$"] = urls.response.dispatch
# Where the functions are, IAM is enforced: it knows this key.
known = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
boto_client.boto3 = SimpleNamespace(client=lambda **told: boto3.client(**{**told, **known}))
evaluator._eval_jsonata = lambda text: jsonata.Jsonata.jsonata(text).evaluate(None)
main(["-H", "127.0.0.1", "-p", port])
