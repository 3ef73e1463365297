# tests/launch/damage.sh: sourced behind fixture.sh. Files that are wrong in one way each, for both bad-input tests.
copy_model() { cp -r model "$1"; }

make_damage() {
    printf 'run:\n  folder: r\n  save_evry: 1\n' >unknown.yaml
    printf 'run:\n  folder: r\n  save_every: often\n' >type.yaml
    printf 'run:\n  folder: "r\n  save_every: 1\n' >malformed.yaml
    copy_model without_specials
    sed -i 's/<|im_end|>/<|im_ende|>/g' without_specials/tokenizer.json without_specials/tokenizer_config.json
    copy_model cut
    truncate -s -1000 cut/model.safetensors
    copy_model other_processor
    sed -i 's/3136/6272/' other_processor/preprocessor_config.json
    copy_model without_tensor
    sed -i 's/"model.norm.weight"/"model.norm.xeight"/' without_tensor/model.safetensors
    head -c 500 "$picture" >cut.png
    printf '{"item_type":"washer","image_path":"cut.png"\n' >malformed.jsonl
    printf '{"item_type":"washer","image_path":3}\n' >type.jsonl
    printf '{"item_type":"washer","image_path":"cut.png","mask_path":null,"normal_image_path":"cut.png","gt":"x","defect_type":null}\n' >cut_picture.jsonl
    sed 's/cut.png/absent.png/g' cut_picture.jsonl >no_picture.jsonl
    head -c 3000 packed.h5 >cut.h5
}
