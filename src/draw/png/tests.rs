use super::*;

fn decoded(file: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    pixels.truncate(info.buffer_size());
    (info.width, info.height, pixels)
}

#[test]
fn another_reader_finds_the_same_pixels() {
    // Several strips, and rows that compress badly.
    for (width, height) in [(1usize, 1usize), (7, 3), (1500, 700)] {
        let pixels: Vec<u8> = (0..width * height).map(|k| (k.wrapping_mul(2_654_435_761) >> 13) as u8 % 200).collect();
        let palette: Vec<Rgb> = (0..=255u8).map(|k| [k, 255 - k, k / 2]).collect();
        let file = indexed(width, height, &pixels, &palette, Some(200));
        assert_eq!(decoded(&file), (width as u32, height as u32, pixels.clone()));
        assert_eq!(file, indexed(width, height, &pixels, &palette, Some(200)));
        let full: Vec<u8> = pixels.iter().flat_map(|k| [*k, k ^ 5, 7]).collect();
        assert_eq!(decoded(&rgb(width, height, &full)), (width as u32, height as u32, full));
    }
}
