use super::*;

fn names_read_back<W: Word + fmt::Debug>() {
    for word in W::all() {
        assert_eq!(parse::<W>(word.name()), Ok(word));
        assert!(!word.about().is_empty() && !word.about().ends_with('.'), "{word:?}");
    }
    let mut all = names::<W>();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), W::all().len(), "two words have one name");
}

#[test]
fn suggestion_is_the_nearest_or_none() {
    assert_eq!(suggest("Postions", ["path", "positions"]), Some("positions"));
    assert_eq!(suggest("license", ["path", "outputs"]), None);
    assert_eq!(suggest("ft.qsp", ["ft.psq", "l1.w"]), Some("ft.psq"));
    assert_eq!(suggest("nothing", ["ft.psq", "l1.w"]), None);
    assert_eq!(suggest(&"x".repeat(1000), ["x"]), None);
}

#[test]
fn every_word_is_read_by_its_name() {
    names_read_back::<Overflow>();
    names_read_back::<Compression>();
    names_read_back::<CompressionChoice>();
    names_read_back::<Algorithm>();
    names_read_back::<Backend>();
    names_read_back::<PieceWeights>();
    names_read_back::<FilterSet>();
    names_read_back::<FileFormat>();
    names_read_back::<Decode>();
    names_read_back::<LayerEncoding>();
    names_read_back::<View>();
    names_read_back::<OnnxType>();
    names_read_back::<Allow>();
    names_read_back::<Publish>();
    names_read_back::<RemoteMode>();
    names_read_back::<RemoteStage>();
}

#[test]
fn an_unknown_word_lists_the_known_ones() {
    assert_eq!(
        parse::<Overflow>("wrop").unwrap_err().to_string(),
        "`wrop` is not a way to handle weights that are out of range; known: error, wrap, clamp, trainer"
    );
}

#[test]
fn words_are_texts_in_json() {
    assert_eq!(serde_json::to_string(&RemoteMode::ReadWrite).unwrap(), "\"read-write\"");
    assert_eq!(serde_json::from_str::<Backend>("\"opencl\"").unwrap(), Backend::OpenCl);
    assert!(serde_json::from_str::<Backend>("\"gpu\"").is_err());
}
