"""The LiteLLM Router doing the same calls: ``PYTHON peer_litellm.py ORIGIN QUESTION`` with the interpreter of its own environment."""

from __future__ import annotations

import asyncio
import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from rounds import obey


async def main() -> None:
    """Three deployments of one model, as the router is made for; the lowest-latency strategy, no retries."""
    import litellm

    litellm.suppress_debug_info = True
    origin, question = sys.argv[1], json.loads(sys.argv[2])

    def router(wait_ms: int) -> litellm.Router:
        deployment = {"model": "openai/bench-1", "api_base": f"{origin}/{wait_ms}/v1", "api_key": "k"}
        deployments = [{"model_name": "bench", "litellm_params": dict(deployment), "model_info": {"id": str(n)}} for n in range(3)]
        return litellm.Router(model_list=deployments, routing_strategy="latency-based-routing", num_retries=0)

    routers = dict[int, litellm.Router]()

    async def ask(wait_ms: int) -> None:
        if wait_ms not in routers:
            routers[wait_ms] = router(wait_ms)
        stream = await routers[wait_ms].acompletion(model="bench", stream=True, stream_options={"include_usage": True}, **question)
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert json.loads("".join(parts))["verdict"] == "noted"

    await obey(ask)


if __name__ == "__main__":
    asyncio.run(main())
