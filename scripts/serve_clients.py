"""Asks a running service as other programs do: Triton's client, Prometheus' parser, an OpenAPI validator.

    pip install 'tritonclient[http]' prometheus_client openapi-spec-validator
    deno run --allow-net --allow-read mod.ts serve moves=best.json &
    python3 scripts/serve_clients.py http://127.0.0.1:8000 moves

The model takes sequences of numbers. Prints what was checked; exits with 1 where something is not as it must be.
"""

import json
import sys
import urllib.error
import urllib.request

import numpy
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException


def get(url):
    with urllib.request.urlopen(url) as response:
        return response.read().decode()


def post(url, body):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def triton(base, model):
    client = InferenceServerClient(base.removeprefix("http://"))
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(model)
    assert client.is_model_ready(model, "1")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(model)
    (x,) = metadata["inputs"]
    data = numpy.random.default_rng(1).normal(size=(3, 7, x["shape"][2]))
    outputs = [output["name"] for output in metadata["outputs"]]
    name = next(name for name in outputs if name in ("probabilities", "values"))
    expected = post(f"{base}/v1/models/{model}:predict", {"instances": data.tolist()})["predictions"]

    def numbers(prediction):
        values = prediction["probabilities" if name == "probabilities" else "values"]
        return list(values.values()) if isinstance(values, dict) else values

    expected = numpy.array([numbers(one) for one in expected], numpy.float32)
    checked = 0
    for binary in (True, False):
        for binary_output in (True, False):
            for datatype, dtype in (("FP32", numpy.float32), ("FP64", numpy.float64)):
                given = InferInput("x", data.shape, datatype)
                given.set_data_from_numpy(data.astype(dtype), binary_data=binary)
                wanted = [InferRequestedOutput(one, binary_data=binary_output) for one in outputs]
                for own in (wanted, None):
                    result = client.infer(model, [given], outputs=own, request_id="7")
                    assert result.get_response()["id"] == "7"
                    got = result.as_numpy(name)
                    tolerance = 1e-5 if datatype == "FP32" else 1e-7
                    assert got.shape == expected.shape and numpy.abs(got - expected).max() < tolerance
                    if "label" in outputs:
                        assert result.as_numpy("label").shape == (3,)
                    checked += 1
    given = InferInput("x", [3, 7, 99], "FP32")
    given.set_data_from_numpy(numpy.zeros((3, 7, 99), numpy.float32))
    try:
        client.infer(model, [given])
        raise AssertionError("99 channels were taken")
    except InferenceServerException as error:
        assert "99" in error.message(), error
        print(f"tritonclient: {checked} ways of asking have the same numbers; refused: {error.message()}")


def metrics(base):
    families = {family.name: family for family in text_string_to_metric_families(get(f"{base}/metrics"))}
    assert families["grutto_requests"].type == "counter"
    assert families["grutto_request_duration_seconds"].type == "histogram"
    assert families["grutto_ready"].samples[0].value == 1
    for family in families.values():
        assert family.samples or family.name == "grutto_reloads", family
    print(f"prometheus_client: {len(families)} families, {sum(len(f.samples) for f in families.values())} samples")


def openapi(base):
    document = json.loads(get(f"{base}/openapi.json"))
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    print(f"openapi-spec-validator: {len(document['paths'])} paths are valid OpenAPI {document['openapi']}")


if __name__ == "__main__":
    _, base, model = sys.argv
    triton(base, model)
    metrics(base)
    openapi(base)
