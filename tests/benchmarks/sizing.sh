#!/bin/sh
# The figures of docs/sizing.md, one after the other: what a camera costs, what shares a call, the pipeline against its bare
# networks, what many cameras need, and how late an alert is. Nothing else may use the processor meanwhile.
#
#     sh tests/benchmarks/sizing.sh CLIP 2>&1 | tee sizing.txt
#
# CLIP is a recording of some 40 frames with several people, in an absolute path. Run it in the environment of Passerby.
set -eu
clip=$1
public="detector=yolox_onnx embedder=omz_0288"
nproc
uptime

echo "== processor time, memory and calls of 1 to 32 cameras of one clip"
for runtime in inline ray; do
    passerby bench cameras bench.cameras=1,2,4,8,16,32 bench.turns=3 bench.runtimes=$runtime \
        "site.cameras={a: $clip}" $public
done

echo "== the same with a process for each camera, and with free batches"
passerby bench cameras bench.cameras=8 bench.runtimes=ray runtime.cameras_per_process=1 "site.cameras={a: $clip}" $public
for _ in 1 2 3; do
    for reproducible in true false; do
        passerby bench cameras bench.cameras=8 bench.runtimes=inline "reproducible=$reproducible" \
            "site.cameras={a: $clip}" detector=passerby  # YOLOX-nano's file takes one picture a call
    done
done

echo "== which stage takes the processor time"
passerby bench profile bench.cameras=8 "site.cameras={a: $clip}" $public

echo "== the pipeline against its bare networks"
for _ in 1 2 3; do
    passerby bench "site.cameras={a: $clip, b: $clip, c: $clip, d: $clip}" $public
done

echo "== the model of many cameras, and its error"
passerby bench scale "site.cameras={a: $clip}" $public

echo "== from an event to its alert, four cameras of 10 frames/s"
PYTHONPATH=.:tests/support python -W ignore tests/benchmarks/alert_latency.py
PYTHONPATH=.:tests/support python -W ignore tests/benchmarks/alert_latency.py detector=passerby
uptime
