// The fields of each struct, in one place: `fields(f, struct)` calls f(name, field). Internal.
#pragma once

#include <array>
#include <string_view>

#include "mlarray/augment/pipeline.hpp"

namespace mlarray::augment {

// By the index in Intensity.
inline constexpr std::array<std::string_view, 11> kNames = {
    "gaussian_noise",      "gaussian_blur",   "brightness",   "contrast",
    "low_resolution",      "gamma",           "rician_noise", "sharpening",
    "brightness_additive", "blank_rectangle", "median_filter"};

// Words of what is one of a few, in the order of the values.
template <class T>
inline constexpr std::array<std::string_view, 0> kWords = {};
template <>
inline constexpr std::array<std::string_view, 2> kWords<Interpolation> = {"linear", "cubic"};
template <>
inline constexpr std::array<std::string_view, 3> kWords<Padding> = {"constant", "edge",
                                                                    "reflect"};
template <>
inline constexpr std::array<std::string_view, 5> kWords<Drawn::Change::What> = {
    "dilate", "erode", "close", "open", "remove"};

template <class F>
void fields(F& f, Spatial& t) {
  f("p_rotation", t.p_rotation);
  f("rotation", t.rotation);
  f("p_scaling", t.p_scaling);
  f("scaling", t.scaling);
  f("same_scale", t.same_scale);
  f("planar", t.planar);
  f("p_shear", t.p_shear);
  f("shear", t.shear);
  f("p_translation", t.p_translation);
  f("translation", t.translation);
  f("p_elastic", t.p_elastic);
  f("elastic_spacing", t.elastic_spacing);
  f("elastic_magnitude", t.elastic_magnitude);
  f("random_crop", t.random_crop);
  f("p_rot90", t.p_rot90);
  f("rot90_axes", t.rot90_axes);
  f("p_swap", t.p_swap);
  f("swap_axes", t.swap_axes);
  f("interpolation", t.interpolation);
  f("padding", t.padding);
  f("image_fill", t.image_fill);
}
template <class F, class T>
void common(F& f, T& t) {
  f("p", t.p);
  f("p_channel", t.p_channel);
  f("same_channels", t.same_channels);
}
template <class F>
void fields(F& f, GaussianNoise& t) {
  common(f, t);
  f("sigma", t.sigma);
}
template <class F>
void fields(F& f, GaussianBlur& t) {
  common(f, t);
  f("same_axes", t.same_axes);
  f("sigma", t.sigma);
}
template <class F>
void fields(F& f, Brightness& t) {
  common(f, t);
  f("factor", t.factor);
}
template <class F>
void fields(F& f, Contrast& t) {
  common(f, t);
  f("factor", t.factor);
  f("keep_range", t.keep_range);
}
template <class F>
void fields(F& f, LowResolution& t) {
  common(f, t);
  f("same_axes", t.same_axes);
  f("scale", t.scale);
  f("fixed_axes", t.fixed_axes);
}
template <class F>
void fields(F& f, Gamma& t) {
  common(f, t);
  f("gamma", t.gamma);
  f("p_invert", t.p_invert);
  f("p_keep_stats", t.p_keep_stats);
}
template <class F>
void fields(F& f, RicianNoise& t) {
  common(f, t);
  f("sigma", t.sigma);
  f("keep_stats", t.keep_stats);
}
template <class F>
void fields(F& f, Sharpening& t) {
  common(f, t);
  f("strength", t.strength);
  f("keep_range", t.keep_range);
}
template <class F>
void fields(F& f, BrightnessAdditive& t) {
  common(f, t);
  f("shift", t.shift);
}
template <class F>
void fields(F& f, BlankRectangle& t) {
  common(f, t);
  f("same_axes", t.same_axes);
  f("count", t.count);
  f("share", t.share);
  f("value", t.value);
  f("mean", t.mean);
}
template <class F>
void fields(F& f, MedianFilter& t) {
  common(f, t);
  f("size", t.size);
}
template <class F>
void fields(F& f, Cascade& t) {
  f("p_operator", t.p_operator);
  f("p_operator_label", t.p_operator_label);
  f("radius", t.radius);
  f("p_remove_component", t.p_remove_component);
  f("p_remove_component_label", t.p_remove_component_label);
  f("largest_component", t.largest_component);
  f("p_fill_other", t.p_fill_other);
}
template <class F>
void fields(F& f, Labels& t) {
  f("masked_channels", t.masked_channels);
  f("masked_value", t.masked_value);
  f("remove_outside", t.remove_outside);
  f("remove", t.remove);
  f("previous", t.previous);
  f("cascade", t.cascade);
  f("regions", t.regions);
  f("scales", t.scales);
}
template <class F>
void fields(F& f, Pipeline& t) {
  f("patch", t.patch);
  f("initial", t.initial);
  f("spatial", t.spatial);
  f("intensity", t.intensity);
  f("mirror_axes", t.mirror_axes);
  f("p_mirror", t.p_mirror);
  f("labels", t.labels);
}
template <class F>
void fields(F& f, Drawn::Step& t) {
  f("transform", t.transform);
  f("channel", t.channel);
  f("values", t.values);
  f("invert", t.invert);
  f("keep_stats", t.keep_stats);
  f("box", t.box);
}
template <class F>
void fields(F& f, Drawn::Elastic& t) {
  f("points", t.points);
  f("offsets", t.offsets);
}
template <class F>
void fields(F& f, Drawn::Change& t) {
  f("what", t.what);
  f("label", t.label);
  f("value", t.value);
  f("other", t.other);
}
template <class F>
void fields(F& f, Drawn& t) {
  f("seed", t.seed);
  f("matrix", t.matrix);
  f("shift", t.shift);
  f("elastic", t.elastic);
  f("axes", t.axes);
  f("flips", t.flips);
  f("steps", t.steps);
  f("cascade", t.cascade);
}

}  // namespace mlarray::augment
