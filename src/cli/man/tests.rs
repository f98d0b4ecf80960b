use super::*;

#[test]
fn the_manifests_page_has_every_key_and_no_markdown() {
    let reference = manifest::reference();
    let page = manifest_page(&reference);
    for key in ["quantization", "state_dict", "outputs", "positions", "last"] {
        assert!(page.contains(&format!("\\fB{key}\\fR  ")), "{key}");
    }
    assert!(page.lines().all(|line| !line.starts_with('|') && !line.starts_with('#') && !line.contains("](")), "{page}");
    assert!(!page.contains("Default: .") && page.contains("\nIt is required.\n"), "{page}");
    assert!(page.starts_with(".TH nnue.toml 5"));
}

#[test]
fn pages_show_the_usage_and_end_with_what_a_manual_has() {
    let mut command = crate::cli::command();
    command.build();
    let main = String::from_utf8(page(&command).unwrap()).unwrap();
    for section in ["SYNOPSIS", "ENVIRONMENT", "FILES", "\"EXIT STATUS\"", "EXAMPLES", "\"SEE ALSO\""] {
        assert!(main.contains(&format!(".SH {section}\n")), "{section}");
    }
    assert!(main.contains(concat!("nnue ", env!("CARGO_PKG_VERSION"))) && !main.contains("[\\-C"), "{main}");
    let table = include_str!("../../../docs/using.md").split_once("| environment variable |").unwrap().1;
    let variables: Vec<&str> = table.lines().skip(2).map_while(|line| line.strip_prefix("| ")).collect();
    let names = variables.iter().flat_map(|line| line.split(" | ").next().unwrap().split('`').skip(1).step_by(2));
    let names: Vec<&str> = names.map(|name| name.trim_end_matches('…')).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(main.contains(&format!("\\fB{name}\\fR")), "{name}");
    }
    let convert = command.find_subcommand("convert").unwrap();
    let page = String::from_utf8(page(convert).unwrap()).unwrap();
    assert!(page.contains("<SOURCE>") && !page.contains("\\-C \\fR]"), "{page}");
}
