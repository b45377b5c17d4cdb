/* A robot in C on Debian's Cyclone DDS, with types and serialiser made by idlc: shares nothing with the Python side.
 *
 * usage: native_peer DOMAIN_ID SECONDS
 *
 * Publishes /joint_states (two joints, whose first position counts the messages) at 100 Hz, listens to /cmd_vel and
 * /image, and answers every Twist on /echo by its mirror, with the number of pictures so far as its linear.y. Ends with
 * a Twist whose linear.z is not zero, or after SECONDS. Prints how much of each it heard, the last speeds, and the sum
 * of the last picture's bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dds/dds.h"
#include "ros.h"

typedef sensor_msgs_msg_dds__JointState_ JointState;
typedef sensor_msgs_msg_dds__Image_ Image;
typedef geometry_msgs_msg_dds__Twist_ Twist;

static void check(dds_return_t code, const char *what) {
  if (code < 0) {
    fprintf(stderr, "%s: %s\n", what, dds_strretcode(-code));
    exit(1);
  }
}

static dds_qos_t *quality(dds_reliability_kind_t reliability) {
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, reliability, DDS_MSECS(100));
  dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 5);
  return qos;
}

/* Speaks as ros2_control's joint_state_broadcaster does: reliably, and keeps the last messages for who comes later. */
static dds_entity_t writer(dds_entity_t participant, const dds_topic_descriptor_t *type, const char *name) {
  dds_qos_t *qos = quality(DDS_RELIABILITY_RELIABLE);
  dds_qset_durability(qos, DDS_DURABILITY_TRANSIENT_LOCAL);
  dds_entity_t topic = dds_create_topic(participant, type, name, NULL, NULL);
  check(topic, name);
  dds_entity_t made = dds_create_writer(participant, topic, qos, NULL);
  check(made, name);
  dds_delete_qos(qos);
  return made;
}

static dds_entity_t reader(dds_entity_t participant, const dds_topic_descriptor_t *type, const char *name) {
  dds_qos_t *qos = quality(DDS_RELIABILITY_BEST_EFFORT);
  dds_entity_t topic = dds_create_topic(participant, type, name, NULL, NULL);
  check(topic, name);
  dds_entity_t made = dds_create_reader(participant, topic, qos, NULL);
  check(made, name);
  dds_delete_qos(qos);
  return made;
}

static void say_joints(dds_entity_t joints, int count) {
  char *names[2] = {"robot_joint2", "robot_joint1"};
  double position[2] = {(double)count, 0.25}, velocity[2] = {-0.5, 1e-9};
  JointState message;
  memset(&message, 0, sizeof message);
  dds_time_t now = dds_time();
  message.header.stamp.sec = (int32_t)(now / DDS_NSECS_IN_SEC);
  message.header.stamp.nanosec = (uint32_t)(now % DDS_NSECS_IN_SEC);
  message.header.frame_id = "base";
  message.name._length = message.name._maximum = 2;
  message.name._buffer = names;
  message.position._length = message.position._maximum = 2;
  message.position._buffer = position;
  message.velocity._length = message.velocity._maximum = 2;
  message.velocity._buffer = velocity;
  check(dds_write(joints, &message), "/joint_states");
}

static int take(dds_entity_t from, void *message) {
  void *samples[1] = {message};
  dds_sample_info_t info[1];
  dds_return_t number = dds_take(from, samples, info, 1, 1);
  check(number, "take");
  return number == 1 && info[0].valid_data;
}

int main(int count, char **words) {
  if (count != 3) {
    fprintf(stderr, "usage: native_peer DOMAIN_ID SECONDS\n");
    return 2;
  }
  dds_entity_t participant = dds_create_participant((dds_domainid_t)atoi(words[1]), NULL, NULL);
  check(participant, "participant");
  dds_entity_t joints = writer(participant, &sensor_msgs_msg_dds__JointState__desc, "rt/joint_states");
  dds_entity_t echo = writer(participant, &geometry_msgs_msg_dds__Twist__desc, "rt/echo");
  dds_entity_t commands = reader(participant, &geometry_msgs_msg_dds__Twist__desc, "rt/cmd_vel");
  dds_entity_t pictures = reader(participant, &sensor_msgs_msg_dds__Image__desc, "rt/image");
  Twist twist;
  Image image;
  memset(&twist, 0, sizeof twist);
  memset(&image, 0, sizeof image);
  int num_joints = 0, num_twists = 0, num_images = 0;
  unsigned long sum = 0;
  dds_time_t end = dds_time() + (dds_time_t)(atof(words[2]) * 1e9), next = dds_time();
  while (dds_time() < end && twist.linear.z == 0) {
    if (dds_time() >= next) {
      say_joints(joints, num_joints++);
      next += DDS_MSECS(10);
    }
    while (take(commands, &twist)) {
      Twist mirrored = twist;
      mirrored.linear.x = -twist.linear.x;
      mirrored.linear.y = num_images;
      check(dds_write(echo, &mirrored), "/echo");
      num_twists++;
    }
    while (take(pictures, &image)) {
      sum = 0;
      for (uint32_t i = 0; i < image.data._length; i++) sum += image.data._buffer[i];
      num_images++;
    }
    dds_sleepfor(DDS_MSECS(1));
  }
  printf(
      "{\"joints\": %d, \"twists\": %d, \"linear_x\": %.17g, \"angular_z\": %.17g, \"images\": %d, \"sum\": %lu, "
      "\"encoding\": \"%s\", \"height\": %u}\n",
      num_joints, num_twists, twist.linear.x, twist.angular.z, num_images, sum, image.encoding ? image.encoding : "",
      image.height);
  check(dds_delete(participant), "leave");
  return 0;
}
