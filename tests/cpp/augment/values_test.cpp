#include <gtest/gtest.h>

#include <string>

#include "mlarray/augment/presets.hpp"
#include "mlarray/error.hpp"

namespace mlarray::augment {
namespace {

Pipeline preset() {
  NnunetOptions options;
  options.patch = {20, 320, 320};
  options.scales = {{1, 1, 1}, {1, 0.5, 0.5}};
  options.regions = {{1, 2}, {2}};
  options.masked_channels = {0};
  options.previous = {1, 2};
  return nnunet(options);
}

TEST(Values, OfAPipelineGoThereAndBack) {
  const Pipeline pipeline = preset();
  EXPECT_EQ(pipeline_from(to_value(pipeline)), pipeline);
  EXPECT_NE(to_json(to_value(pipeline)).find("\"transform\":\"low_resolution\""),
            std::string::npos);
}

TEST(Values, OfADrawGoThereAndBack) {
  Pipeline pipeline = preset();
  pipeline.spatial.p_rotation = 1;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Drawn drawn = draw(pipeline, seed, 2);
    EXPECT_EQ(drawn_from(to_value(drawn)), drawn);
  }
}

// The message of reading `pipeline` after one change.
template <class F>
std::string message_after(const F& change) {
  Value value = to_value(preset());
  change(*value.get_if<Map>());
  try {
    pipeline_from(value);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Map& transform(Map& pipeline, std::size_t i) {
  return *pipeline.find("intensity")->get_if<List>()->items[i].get_if<Map>();
}

TEST(Values, AreRefusedByTheNameOfTheField) {
  const auto expect = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect(message_after([](Map&) {}), "no error");
  expect(message_after([](Map& p) { p.set("patsch", 1); }), "\"patsch\"");
  expect(message_after([](Map& p) { p.set("patch", 1); }), "patch is a int");
  expect(message_after([](Map& p) { p.set("patch", List{{4, 4, 0}}); }), "(4, 4, 0)");
  expect(message_after([](Map& p) { p.set("patch", List{{21, 4, 4}}); }), "initial is");
  expect(message_after([](Map& p) { p.set("mirror_axes", List{{3}}); }), "axis 3");
  expect(message_after([](Map& p) { p.set("mirror_axes", List{{0, 0}}); }), "twice");
  expect(message_after([](Map& p) { transform(p, 1).set("p", 1.5); }), "intensity[1].p is 1.5");
  expect(message_after([](Map& p) { transform(p, 1).set("sigma", List{{2, 1}}); }),
         "intensity[1].sigma");
  expect(message_after([](Map& p) { transform(p, 1).set("sigma", -1); }), "intensity[1].sigma");
  expect(message_after([](Map& p) { transform(p, 1).set("sigma", List{{1, 2, "x"}}); }),
         "no range");
  expect(message_after([](Map& p) { transform(p, 1).set("transform", "blur"); }), "\"blur\"");
  expect(message_after([](Map& p) { transform(p, 1).erase("transform"); }), "\"transform\"");
  expect(message_after([](Map& p) { transform(p, 4).set("scale", List{{0.5, 2}}); }),
         "intensity[4].scale");
  expect(message_after([](Map& p) { transform(p, 4).set("fixed_axes", List{{4}}); }),
         "intensity[4].fixed_axes");
  expect(message_after([](Map& p) {
           p.find("labels")->get_if<Map>()->set("scales", List{{List{{0.5, 0.5}}}});
         }),
         "labels.scales[0]");
  expect(message_after(
             [](Map& p) { p.find("labels")->get_if<Map>()->set("previous", List{{40000}}); }),
         "40000");
  EXPECT_THROW(use_instruction_set("mmx"), Error);
}

TEST(Values, ThatAreMissingHaveTheirDefaults) {
  Map map;
  map.set("patch", List{{4, 4}});
  map.set("initial", List{{6, 6}});
  Map noise;
  noise.set("transform", "gaussian_noise");
  noise.set("p", 0.5);
  noise.set("sigma", 0.25);
  map.set("intensity", List{{Value(noise)}});
  Pipeline wanted;
  wanted.patch = {4, 4};
  wanted.initial = {6, 6};
  GaussianNoise transform;
  transform.p = 0.5;
  transform.sigma = {0.25, 0.25};
  wanted.intensity = {transform};
  EXPECT_EQ(pipeline_from(Value(map)), wanted);
}

}  // namespace
}  // namespace mlarray::augment
