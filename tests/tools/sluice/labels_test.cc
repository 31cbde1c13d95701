#include "tools/sluice/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tools/sluice/picture_folder.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Labels, Coco) {
  const auto labels =
      parse_coco(R"({"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "sub/b.jpg"}],
      "categories": [{"id": 1, "name": "cat"}],
      "annotations": [{"image_id": 8, "category_id": 1, "bbox": [1, 2.5, 3, 4]},
                      {"image_id": 8, "category_id": 1, "bbox": [5, 6, 7, 8], "iscrowd": 1}]})",
                 "dir");
  ASSERT_TRUE(labels.ok()) << labels.status().message();
  ASSERT_EQ(labels->pictures.size(), 2u);
  EXPECT_FALSE(labels->classes);
  EXPECT_EQ(labels->pictures[0].path, "dir/a.jpg");
  EXPECT_TRUE(labels->pictures[0].boxes.empty());
  ASSERT_EQ(labels->pictures[1].boxes.size(), 2u);
  const LabelledBox& cat = labels->pictures[1].boxes[0];
  EXPECT_EQ(cat.label, "cat");
  EXPECT_EQ(cat.y, 2.5);
  EXPECT_EQ(cat.height, 4);
  EXPECT_FALSE(cat.ignore);
  EXPECT_TRUE(labels->pictures[1].boxes[1].ignore);
}

TEST(Labels, CocoErrors) {
  EXPECT_THAT(parse_coco("{", "").status().message(), StartsWith("no COCO annotations: "));
  EXPECT_EQ(parse_coco("[]", "").status().message(),
            "no COCO annotations: the file holds no object with 'images' and 'annotations'");
  EXPECT_THAT(parse_coco(R"({"images": [], "annotations": [{"image_id": 3, "bbox": [1,2,3,4]}]})", "")
                  .status()
                  .message(),
              HasSubstr("annotations[0]: 'image_id' is 3, which is not among the images"));
  const auto message = [](const std::string& last) {
    return parse_coco(R"({"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "cat"}],
                          "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 0]}, )" +
                          last + "]}",
                      "")
        .status()
        .message();
  };
  EXPECT_EQ(message(R"({"image_id": 1, "bbox": [1, 2, 3]})"),
            "no COCO annotations: annotations[1]: 'bbox' has 3 numbers, wanted: 4 (x, y, width, height)");
  EXPECT_EQ(message(R"({"image_id": 1, "bbox": [1, 2, -3, 4]})"),
            "no COCO annotations: annotations[1]: 'bbox' is -3 wide and 4 high, allowed: from 0 on");
  EXPECT_EQ(message(R"({"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]})"),
            "no COCO annotations: annotations[1]: 'category_id' is 7, which is not among the categories");
  EXPECT_THAT(message(R"({"image_id": 1})"), HasSubstr("annotations[1]: "));
}

TEST(Labels, Dlib) {
  const auto labels = parse_dlib(R"(<?xml version='1.0' encoding='ISO-8859-1'?>
<dataset><!-- <image file='no.jpg'> -->
<images>
  <image file='a &amp; b.jpg' width='5' height='6'>
    <box top='181' left='274' width='52' height='53'><label>face</label>
      <part name='00' x='277' y='194'/>
    </box>
    <box top='1' left='2' width='3' height='4' ignore='1'/>
  </image>
  <image file="c.jpg"></image>
</images></dataset>)",
                                 "dir");
  ASSERT_TRUE(labels.ok()) << labels.status().message();
  ASSERT_EQ(labels->pictures.size(), 2u);
  EXPECT_EQ(labels->pictures[0].path, "dir/a & b.jpg");
  ASSERT_EQ(labels->pictures[0].boxes.size(), 2u);
  EXPECT_EQ(labels->pictures[0].boxes[0].x, 274);
  EXPECT_EQ(labels->pictures[0].boxes[0].y, 181);
  EXPECT_EQ(labels->pictures[0].boxes[0].label, "face");
  EXPECT_TRUE(labels->pictures[0].boxes[1].ignore);
  EXPECT_EQ(labels->pictures[1].path, "dir/c.jpg");
}

TEST(Labels, DlibErrors) {
  EXPECT_EQ(parse_dlib("hello", "").status().message(), "no dlib dataset: there is no <dataset>");
  EXPECT_EQ(parse_dlib("<dataset", "").status().message(), "no dlib dataset: a tag is not closed");
  EXPECT_EQ(parse_dlib("<dataset><image>", "").status().message(), "line 1: an <image> without 'file'");
  EXPECT_EQ(parse_dlib("<dataset><box>", "").status().message(), "line 1: a <box> outside an <image>");
  EXPECT_EQ(parse_dlib("<dataset><image file='a'><box top='1' left='x' width='1' height='1'/>", "")
                .status()
                .message(),
            "line 1: a <box> lacks 'left', 'top', 'width' or 'height'");
  EXPECT_EQ(parse_dlib("<dataset><image file='a'><box top='1' left='nan' width='1' height='1'/>", "")
                .status()
                .message(),
            "line 1: a <box> lacks 'left', 'top', 'width' or 'height'");
  EXPECT_EQ(parse_dlib("<dataset><images>\n<image file='a'>\n</images></dataset>", "").status().message(),
            "line 3: the <image> of 'a' is not closed before; add </image>");
  EXPECT_EQ(
      parse_dlib("<dataset><image file='a'>\n<image file='b'></image></dataset>", "").status().message(),
      "line 2: the <image> of 'a' is not closed before; add </image>");
  EXPECT_EQ(
      parse_dlib("<dataset><image file='a'/>\n<box top='1' left='1' width='1' height='1'/></dataset>", "")
          .status()
          .message(),
      "line 2: a <box> outside an <image>");
  EXPECT_EQ(
      parse_dlib("<dataset><image file='a'><box top='1' left='1' width='-1' height='1'/></image></dataset>",
                 "")
          .status()
          .message(),
      "line 1: a <box> is -1 wide and 1 high, allowed: from 0 on");
  EXPECT_EQ(parse_dlib("<dataset><images><image file='a'></image>\n  ", "").status().message(),
            "no dlib dataset: there is no </dataset> at its end; the file is cut off, copy it again");
}

class LabelFiles : public ::testing::Test {
 public:
  ~LabelFiles() override { fs::remove_all(folder_); }

 protected:
  LabelFiles() : folder_(fs::path(::testing::TempDir()) / ("labels_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / "dog");
    fs::create_directories(folder_ / "cat");
    for (const auto* name : {"dog/b.jpg", "dog/a.PNG", "cat/c.jpeg", "cat/notes.txt", "stray.jpg"})
      std::ofstream(folder_ / name) << "x";
  }
  fs::path folder_;
};

TEST_F(LabelFiles, AFolderPerClass) {
  const auto labels = read_labels(folder_.string());
  ASSERT_TRUE(labels.ok());
  EXPECT_TRUE(labels->classes);
  std::vector<std::string> all;
  for (const auto& p : labels->pictures) all.push_back(p.label + " " + fs::path(p.path).filename().string());
  EXPECT_THAT(all, ::testing::ElementsAre("cat c.jpeg", "dog a.PNG", "dog b.jpg"));
}

TEST_F(LabelFiles, Errors) {
  const auto message = [&](const fs::path& path) { return read_labels(path.string()).status().message(); };
  EXPECT_THAT(message(folder_ / "cat"), HasSubstr("cat': there is no picture in it"));
  EXPECT_THAT(message(folder_ / "stray.jpg"),
              HasSubstr("is neither a folder nor COCO JSON (*.json) nor dlib XML (*.xml)"));
  EXPECT_THAT(message(folder_ / "none.xml"), HasSubstr("cannot be read: No such file or directory"));
  EXPECT_THAT(message(folder_ / "none"), HasSubstr("none': cannot be read: No such file or directory"));
  std::ofstream(folder_ / "l.xml") << "<dataset><image file='gone.jpg'/></dataset>";
  EXPECT_THAT(message(folder_ / "l.xml"), HasSubstr("gone.jpg' is missing"));
}

TEST_F(LabelFiles, NamesThatCannotBeLookedUp) {
  const std::string too_long(300, 'n');
  const auto labels = read_labels(too_long);
  EXPECT_EQ(labels.status().code(), Code::kInvalid);
  EXPECT_EQ(labels.status().message(), "--labels '" + too_long + "': cannot be read: File name too long");
  fs::create_symlink("loop", folder_ / "loop");
  EXPECT_THAT(read_labels((folder_ / "loop").string()).status().message(),
              HasSubstr("loop': cannot be read: Too many levels of symbolic links"));
  EXPECT_EQ(read_labels(folder_.string())->pictures.size(), 3u);  // beside it are the classes
  std::ofstream(folder_ / "l.xml") << "<dataset><image file='" << too_long << "'/></dataset>";
  EXPECT_THAT(read_labels((folder_ / "l.xml").string()).status().message(), HasSubstr("n' is missing"));
}

// Whatever their endings: frame numbers are the pictures' places in the labels.
TEST_F(LabelFiles, PictureFolderHoldsThemAllInOrderAndCleansUp) {
  std::string path;
  {
    const auto made =
        make_picture_folder({(folder_ / "dog/b.jpg").string(), (folder_ / "dog/a.PNG").string()});
    ASSERT_TRUE(made.ok());
    path = made->path();
    EXPECT_EQ(fs::read_symlink(fs::path(path) / "00000000.jpg"), folder_ / "dog/b.jpg");
    EXPECT_EQ(fs::read_symlink(fs::path(path) / "00000001.jpg"), folder_ / "dog/a.PNG");
    EXPECT_EQ(with_own_names("'" + path + "/00000001.jpg' and " + path + "/00000000.jpg, " + path + "/x",
                             path, {"b.jpg", "a.PNG"}),
              "'a.PNG' and b.jpg, " + path + "/x");
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::exists(folder_ / "dog/b.jpg"));
}

}  // namespace
}  // namespace sluice::cli
