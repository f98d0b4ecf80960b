use super::*;
use crate::net::random_network;

#[test]
fn every_weight_is_counted_once_where_it_belongs() {
    let network = random_network("SFNNv16", 32, 3);
    let subject = Subject::new("test", &network, None).unwrap();
    let inputs = input_distributions(&subject);
    assert_eq!(inputs.len(), 6);
    for (one, block) in inputs.chunks(2).zip(&network.blocks) {
        assert_eq!(one[0].total(), block.weights.len() as u64);
        assert_eq!(one[1].total(), block.psqt.len() as u64);
    }
    let hm = inputs.iter().find(|one| one.name == "input-weights-histogram-halfkav2-hm").unwrap();
    assert_eq!((hm.width, hm.limits), (1, [-32768, 32767]));
    let crate::net::BlockWeights::I16(weights) = &network.blocks[2].weights else { panic!("i16") };
    let sevens = weights.iter().filter(|weight| **weight == 7).count();
    assert_eq!(hm.counts[(7 - hm.first) as usize], sevens as u64);
    let sum: i64 = hm.counts.iter().enumerate().map(|(bin, count)| (hm.first + bin as i64) * *count as i64).sum();
    assert_eq!(sum, weights.iter().map(|weight| i64::from(*weight)).sum::<i64>());
    for one in dense_distributions(&subject) {
        assert_eq!(one.limits, [-128, 127]);
        let layer = LAYER_NAMES.iter().position(|name| one.name.starts_with(name)).unwrap();
        let weights = network.stacks.iter().map(|stack| stack.layers[layer].inputs * stack.layers[layer].bias.len());
        assert_eq!(one.total(), weights.sum::<usize>() as u64, "padding does not count");
    }
}

#[test]
fn nets_lie_over_each_other_in_the_same_bins() {
    let nets = [random_network("SFNNv5", 32, 3), random_network("SFNNv5", 64, 4)];
    let subjects: Vec<Subject<'_>> = nets.iter().map(|net| Subject::new("x", net, None).unwrap()).collect();
    let groups = overlaid(&subjects);
    assert_eq!(groups.len(), 5);
    for group in &groups {
        assert_eq!((group.len(), group[0].first, group[0].width), (2, group[1].first, group[1].width));
    }
    assert_eq!(groups[0][1].total(), 22528 * 64);
    let scene = histogram(&groups[0], &["a".to_owned(), "b".to_owned()], true).unwrap();
    assert_eq!(scene.name, "input-weights-histogram-halfkav2-hm-log");
    assert!(scene.items.iter().any(|item| matches!(item, crate::draw::Item::Curve { ink: Ink::Series(1), .. })));
}

#[test]
fn limits_are_drawn_where_they_are() {
    let network = random_network("SFNNv5", 32, 3);
    let subject = Subject::new("test", &network, None).unwrap();
    let one = &dense_distributions(&subject)[..1];
    for is_log in [false, true] {
        let scene = histogram(one, &["x".to_owned()], is_log).unwrap();
        let texts: Vec<&str> = scene
            .items
            .iter()
            .filter_map(|item| match item {
                crate::draw::Item::Text { text, ink: Ink::Limit, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(texts, ["-128", "127"]);
    }
}
