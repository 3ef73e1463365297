#!/usr/bin/env bash
# tests/launch/test_bad_input_mpi.sh: ranks meet a mistake together: one line, of rank 0, and its exit code.
. tests/launch/fixture.sh
. tests/launch/damage.sh
. launch/environment.sh
PATH=$bin:$PATH
make_fixture
make_damage

together() { # together "what" CODE PATTERN ARGUMENTS.. of judo_stage1
    local what=$1 code=$2 pattern=$3
    shift 3
    refuses "$what" "$code" "^\[rank 0\] error: .*$pattern" "$mpiexec" -np "$ranks" judo_stage1 "$@"
}
together "no configuration" 12 'absent.yaml: cannot open' absent.yaml
together "a wrong type" 11 "type.yaml:3:3: 'run.save_every' must be an integer, not 'often'" type.yaml
together "an unknown key" 11 "unknown.yaml:3:3: unknown key 'run.save_evry'; did you mean 'run.save_every'" unknown.yaml
together "malformed YAML" 11 'malformed.yaml:[0-9]+:[0-9]+: not valid YAML' malformed.yaml
together "no model" 12 'absent' config.yaml model.path=absent
together "no dataset" 12 'absent.h5: cannot open' config.yaml data.path=absent.h5
together "a cut dataset" 13 'cut.h5: ' config.yaml data.path=cut.h5
together "a tokenizer without specials" 14 'without_specials/tokenizer.json: <\|im_end\|>' config.yaml model.path=without_specials
together "a dataset for another processor" 14 'packed.h5: packed for .*pack it again' config.yaml model.path=other_processor
together "truncated weights" 13 'cut/model.safetensors: .*cut off' config.yaml model.path=cut
together "a missing tensor" 14 'missing model.norm.weight' config.yaml model.path=without_tensor
it "help is printed once" "$mpiexec" -np "$ranks" judo_stage1 --help
[ "$(grep -c '^usage:' out)" = 1 ] || fail "help was not printed once"
finish
