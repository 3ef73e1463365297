#!/usr/bin/env bash
# tests/launch/test_inspect.sh: judo inspect finds what is wrong with a checkpoint or a model, and says in which file and tensor.
. tests/launch/fixture.sh
. tests/shell/damage_files.sh
make_fixture
io=12 format=13 mismatch=14 numeric=17
it "stage 1 makes a checkpoint of two ranks" "$mpiexec" -np 2 judo_stage1 config.yaml
good=run/checkpoints/step-000001
shard=shard-00001-of-00002.judo
it "a whole checkpoint" judo inspect $good
prints '^written by +2 ranks$'
prints '^files +[0-9.]+ MB in 2 shards$'
prints '^check +every tensor is whole and has its checksums$'

# checkpoint "what" CODE PATTERN COMMAND..: a copy that the command, run inside of it, has damaged.
checkpoint() {
    local what=$1 code=$2 pattern=$3
    shift 3
    rm -rf bad && cp -r $good bad
    (cd bad && "$@")
    refuses "$what" "$code" "$pattern" judo inspect bad
}
bytes=$(stat -c %s $good/$shard)
data=$(($(od -An -tu8 -j 16 -N 8 $good/$shard) + 4096)) # behind the header
for ((at = data; at < bytes; at += (bytes - data) / 12)); do
    # Padding between pieces belongs to no tensor.
    rm -rf bad && cp -r $good bad && flip bad/$shard $at
    judo inspect bad >out 2>err && cmp -s out <(judo inspect $good | sed "s|$good|bad|") ||
        grep -qE "error: judo inspect: bad/$shard: .* of [a-z0-9_.]+, elements [0-9]+ to [0-9]+: checksum .* damaged" err ||
        fail "a bit at byte $at of $bytes: not named"
    checks=$((checks + 1))
done
checkpoint "a bit in the last weight" $format "bad/$shard: .* of [a-z0-9_.]+, elements .*: checksum" flip $shard -4
checkpoint "a bit in a shard's header" $format "bad/$shard: the header does not have its checksum" flip $shard 100
checkpoint "a shard that is cut off" $format "bad/$shard: [0-9]+ bytes, but the manifest says" truncate -s -1 $shard
checkpoint "a shard that is not there" $io "bad/$shard: cannot open" rm $shard
checkpoint "another rank's shard" $format "bad/$shard: " cp shard-00000-of-00002.judo $shard
checkpoint "a bit in the manifest" $format 'bad/manifest.json: checksum' flip manifest.json 300
it "init makes another model" judo init other data/stage1.jsonl --vocab 300 --hidden 64 --layers 1 --ffn 64 --vision-hidden 64 \
    --vision-depth 1 --vision-ffn 64
refuses "a checkpoint of another model" $mismatch 'manifest.json: .*the checkpoint is of another model' judo inspect $good --model other

# Models: one file, then several with an index.
rm -rf bad && cp -r model bad && put_nan bad/model.safetensors
refuses "a weight that is not a number" $numeric 'bad: [a-z0-9_.]+: element [0-9]+ is not finite' judo inspect bad
it "the headers alone do not show it" judo inspect bad --headers
rm -rf bad && cp -r model bad && sed -i 's/"num_hidden_layers": *2/"num_hidden_layers": 3/' bad/config.json
refuses "weights of a smaller model" $mismatch 'bad: .*missing model.layers.2' judo inspect bad
rm -rf bad && cp -r model bad && sed -i 's/"intermediate_size": *128/"intermediate_size": 96/g' bad/config.json
refuses "weights of another width" $mismatch 'bad: .*of another shape visual.blocks.0.mlp' judo inspect bad
rm -rf bad && cp -r model bad && mv bad/model.safetensors bad/model-00001-of-00002.safetensors
index() { # index FILE: the index of all tensors, in that one file
    judo inspect model --tensors | sed -n 's/^  \([a-z0-9_.]*\) \[.*/\1/p' |
        awk -v file="$1" '{printf "%s\"%s\": \"%s\"", (NR > 1 ? ", " : ""), $1, file}' | sed 's/^/{"weight_map": {/; s/$/}}/'
}
index model-00001-of-00002.safetensors >bad/model.safetensors.index.json
it "a model with an index" judo inspect bad
index model-00002-of-00002.safetensors >bad/model.safetensors.index.json
refuses "an index that names an absent file" $io 'model-00002-of-00002.safetensors' judo inspect bad
index model-00001-of-00002.safetensors | sed 's/, "model.norm.weight": "[^"]*"//' >bad/model.safetensors.index.json
refuses "an index without a tensor" $mismatch 'index.json: does not list tensor model.norm.weight of model-00001-of-00002' judo inspect bad
finish
