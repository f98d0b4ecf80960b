use super::*;

#[test]
fn patterns_of_folders_are_refused() {
    for pattern in ["runs/", "", "./", "/"] {
        assert!(Glob::parse(pattern).is_err(), "{pattern}");
    }
    assert!(Glob::parse("{a/b,c}/*").is_err_and(|cause| cause.starts_with("`{a`")));
}

#[test]
fn the_literal_way_is_parted_from_the_pattern() {
    let parted = |pattern: &str| {
        let glob = Glob::parse(pattern).unwrap();
        let (base, rest) = glob.split(Path::new("m"));
        (base, rest.len())
    };
    assert_eq!(parted("runs/../x/*.nnue"), (PathBuf::from("m/runs/../x"), 1));
    assert_eq!(parted("/runs/**/**/*.nnue"), (PathBuf::from("/runs"), 2));
    assert_eq!(parted("a.nnue"), (PathBuf::from("m"), 1));
}

#[test]
fn a_glob_covers_what_its_walk_would_find() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.nnue", "runs/a.nnue", "runs/.a.nnue", "runs/.nnue/a.nnue", "runs/x/a.nnue", "runs/x/y/a.nnue", ".h/a.nnue", "x/a.pt"];
    for path in paths {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let globs = [
        "*.nnue",
        "**",
        "**/*.nnue",
        "**/a.nnue",
        "runs/*.nnue",
        "runs/**/*.nnue",
        "runs/**",
        "**/x/**/*.nnue",
        "**/.*/*.nnue",
        "*/*/*",
        "{runs,x}/*",
        ".h/*",
        "runs/.*",
        "runs/x/a.nnue",
        "**/**/y/*",
        "**/x/**/y/**",
    ];
    for pattern in globs {
        let glob = Glob::parse(pattern).unwrap();
        let found = glob.find(folder.path());
        for path in paths {
            let is_found = found.files.contains_key(&folder.path().join(path));
            assert_eq!(covers(&glob.steps, Path::new(path)), is_found, "`{pattern}` and `{path}`");
        }
    }
}
