use super::*;

#[test]
fn a_matrix_is_turned_around() {
    for (rows, columns) in [(1, 1), (3, 5), (40, 33), (2, 64), (0, 4), (4, 0)] {
        let values: Vec<f32> = (0..rows * columns).map(|index| index as f32).collect();
        let turned = turned(&values, rows, columns);
        assert_eq!(turned.len(), values.len());
        for (index, value) in turned.iter().enumerate() {
            assert_eq!(*value, values[index % rows * columns + index / rows]);
        }
    }
}
