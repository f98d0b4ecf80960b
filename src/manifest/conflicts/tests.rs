use std::path::Path;

fn mistakes(nets: &[(&str, &str, &str)]) -> Vec<String> {
    let tables = nets.iter().map(|(name, source, output)| format!("[net.{name}]\nsource = \"{source}\"\noutputs = \"{output}\"\n"));
    let text = format!("version = 1\n{}", tables.collect::<String>());
    match crate::manifest::parse(&text, Path::new("nowhere/nnue.toml"), &[]) {
        Ok(_) => Vec::new(),
        Err(error) => match error.report().and_then(|report| report.related()) {
            Some(related) => related.map(ToString::to_string).collect(),
            None => vec![error.message().to_owned()],
        },
    }
}

#[test]
fn nets_that_write_one_file_clash() {
    assert_eq!(mistakes(&[("a", "x.nnue", "d/a.nnue"), ("b", "x.nnue", "d/./A.nnue")]), ["nets `a` and `b` write one file"]);
    assert_eq!(mistakes(&[("a", "x.nnue", "d/"), ("b", "x.nnue", "d/")]), [""; 0]);
}

#[test]
fn an_output_never_replaces_an_input() {
    assert_eq!(mistakes(&[("a", "x.nnue", "X.nnue")]), ["output `X.nnue` would overwrite an input"]);
    assert_eq!(mistakes(&[("a", "x.nnue", "d/a.nnue"), ("b", "d/a.nnue", "d/b.nnue")]), ["output `d/a.nnue` would overwrite an input"]);
}
