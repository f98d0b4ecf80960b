use super::*;

fn manifest(line: &str) -> Result<String> {
    let text = of_command_line(line, |path| path.file_stem().unwrap().to_str().unwrap().to_owned())?;
    crate::manifest::parse(&text, Path::new("nowhere/nnue.toml"), &[]).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
    Ok(text)
}

#[test]
fn what_the_options_say_stands_in_the_manifest() {
    let text = manifest(
        "python3 tools/serialize.py 'runs/my run.ckpt' dist/best.nnue --features=HalfKAv2_hm^ --l1 1024 \\\n --ft_compression leb128 \
             --description \"Run \\\"42\\\"\" --ft_optimize --ft_optimize_data=d/a.binpack --ft_optimize_count 5000 --no-cupy --device 0 \
             --ft-quantized-one 255 --random-fen-skipping 3",
    );
    let expected = "version = 1\n\n[source.run]\npath = \"runs/my run.ckpt\"\nfeatures = \"HalfKAv2_hm^\"\nl1 = 1024\nquantization = \
                        \"ft255\"\n\n[data.positions]\npath = [\"d/a.binpack\"]\n\n[net.best]\nsource = \"run\"\ndescription = 'Run \"42\"'\n\
                        compression = \"leb128\"\noutputs = [\"dist/best.nnue\"]\n\n[net.best.optimize]\ndata = \"positions\"\npositions = \
                        5000\n\n[net.best.optimize.filters]\nrandom_fen_skipping = 3\n";
    assert_eq!(text.unwrap(), expected);
    let redirected = manifest("python serialize.py a.ckpt b.nnue --l1=128 > log.txt 2>&1 && echo done").unwrap();
    assert!(redirected.ends_with("outputs = [\"b.nnue\"]\n") && redirected.contains("l1 = 128"), "{redirected}");
    let named = manifest("nnue convert a.nnue out/x.nnue --out-sha --ft_perm p.npy").unwrap();
    assert!(named.contains("outputs = [\"out/\"]") && named.contains("permutation = \"p.npy\"") && named.contains("[net.a]"), "{named}");
}

#[test]
fn other_command_lines_are_refused() {
    for (line, why) in [
        ("train.py a", "not a command line of `serialize.py`"),
        ("serialize.py a.ckpt", "cannot be read"),
        ("serialize.py a.ckpt b.nnue --nonsense", "cannot be read"),
        ("serialize.py 'a.ckpt b.nnue", "is not closed"),
        ("cd trainer && python serialize.py a.ckpt b.nnue", "changes the folder"),
        ("serialize.py a.ckpt b.nnue --ft_optimize", "needs positions"),
        ("serialize.py a.ckpt b.pt --pt-profile seed", "no keys for"),
    ] {
        let error = of_command_line(line, |_| "x".to_owned()).unwrap_err();
        assert!(error.message().contains(why) && error.kind() == crate::error::Kind::Usage, "{line}: {error:?}");
    }
}
