use super::*;
use crate::net::{padded, random_network};

#[test]
fn every_cell_shows_the_weight_that_it_claims() {
    let network = random_network("SFNNv5", 32, 3);
    let subject = Subject::new("test", &network, None).unwrap();
    for sort_neurons in [false, true] {
        let options = Options { sort_neurons, ..Options::default() };
        let inputs = Inputs::of(&subject, &options);
        let scene = dense_pictures(&subject, &inputs, &options);
        let heats: Vec<&Heat> = scene.heats().map(|(_, heat)| heat).collect();
        assert_eq!([heats[0].width(), heats[0].height()], [16, 8 * 32]);
        let layer = &network.stacks[3].layers[0];
        let (x, y) = (5, 3 * 32 + 2 * 7 + 1);
        let hover = heats[0].hover(x, y).unwrap();
        let input = if sort_neurons {
            let pair: usize = hover.split("pair ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
            pair
        } else {
            5
        };
        let weight = i32::from(layer.weights[7 * padded(32) + 16 + input]);
        assert_eq!(heats[0].number(x, y), weight, "{hover}");
        let expected = format!(
            "bucket 3, l1 output 7, other side, pair {input}, {}: {weight} ({:.4})",
            input + 16,
            (f64::from(weight) / 64.0 * 1e4).round() / 1e4
        );
        assert_eq!(hover, expected);
        assert_eq!(heats[1].number(2 * 30 + 4, 9), i32::from(network.stacks[2].layers[1].weights[9 * 32 + 4]));
        assert_eq!(heats[2].number(6, 5), i32::from(network.stacks[5].layers[2].weights[6]));
    }
    let biases = bias_picture(&subject, &Options::default());
    let heats: Vec<&Heat> = biases.heats().map(|(_, heat)| heat).collect();
    assert_eq!(heats[0].number(9, 0), i32::from(network.ft_bias[9]));
    assert_eq!(heats[0].hover(9, 0).unwrap().split(':').next(), Some("neuron 9, bias"));
    assert_eq!(heats[1].number(15, 7), network.stacks[7].layers[0].bias[15]);
    assert_eq!(heats[3].number(0, 2), network.stacks[2].layers[2].bias[0]);
    // A network of one stack, whose transformer's halves enter whole.
    let old = random_network("SFNNv1", 32, 3);
    let subject = Subject::new("test", &old, None).unwrap();
    let inputs = Inputs::of(&subject, &Options::default());
    let scene = dense_pictures(&subject, &inputs, &Options::default());
    let heat = scene.heats().next().unwrap().1;
    assert_eq!(heat.hover(31, 1).unwrap().split(':').next(), Some("l1 output 0, other side, neuron 31"));
    assert_eq!(heat.number(31, 1), i32::from(old.stacks[0].layers[0].weights[63]));
}
