// The bilateral grid, applied to pictures by WebGL 2: in this browser, at their full size.
//
// As in tapetum.realtime.cpu.grid_kernels: a pixel looks eight coefficients up by its place and by
// the square root of its luma, between cells linearly, and they transform its Y, U and V.

import { Denoiser } from "./denoiser.js";
import { newPlane, newProgram, newTarget, newTexture, Readback } from "./graphics.js";
import { curveSlope } from "./noise_level.js";
import { strengthened } from "./strength.js";

const THUMBNAIL = 256; // rows and columns of the picture that the network looks at
const CELLS = 16;
const LEVELS = 8;
const COEFFICIENTS = 8;
const SEEN_UNIT = 3; // the first texture unit that is free
const PIXELS_EVERY = 4; // rows and columns of the thumbnail that single pixels come with
const WEIGHTS = "vec3(0.2126, 0.7152, 0.0722)"; // of luma

/**
 * The mean of each bin, as its square root: 8 bits of that are fine enough for the dark. As alpha the
 * luma of the pixel in its middle, with the noise that is left in what is drawn.
 */
const REDUCE = `#version 300 es
precision highp float;
precision highp int;
uniform sampler2D picture;
uniform sampler2D seen;
out vec4 root;
void main() {
  ivec2 size = textureSize(picture, 0), bin = ivec2(gl_FragCoord.xy);
  ivec2 first = bin * size / ${THUMBNAIL};
  ivec2 end = ((bin + 1) * size + ${THUMBNAIL - 1}) / ${THUMBNAIL};
  vec3 sum = vec3(0);
  for (int y = first.y; y < end.y; y++)
    for (int x = first.x; x < end.x; x++) sum += texelFetch(picture, ivec2(x, y), 0).rgb;
  ivec2 count = end - first;
  ivec2 middle = (2 * bin + 1) * textureSize(seen, 0) / ${2 * THUMBNAIL};
  float luma = dot(texelFetch(seen, middle, 0).rgb, ${WEIGHTS});
  root = sqrt(vec4(sum / float(count.x * count.y), clamp(luma, 0.0, 1.0)));
}`;

const BRIGHTEN = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler3D;
uniform sampler2D picture;
uniform sampler2D seen; // the same, its noise taken out
uniform sampler3D luma_and_u; // gain, offset, m_uu, m_uv
uniform sampler3D v_and_offsets; // m_vu, m_vv, c_u, c_v
uniform float strength;
uniform vec2 canvas; // its size, which need not be the picture's
uniform float before; // share of the width, from the left, that stays as it is
out vec4 bright;
const vec3 WEIGHTS = ${WEIGHTS};
const float BLUE_FROM_U = 1.8556, RED_FROM_V = 1.5748;
void main() {
  vec2 place = vec2(gl_FragCoord.x, canvas.y - gl_FragCoord.y) / canvas; // row 0 is the top one
  if (place.x < before) {
    bright = vec4(texture(picture, place).rgb, 1);
    return;
  }
  vec3 rgb = texture(seen, place).rgb;
  float y = dot(rgb, WEIGHTS);
  vec2 uv = vec2((rgb.b - y) / BLUE_FROM_U, (rgb.r - y) / RED_FROM_V);
  vec3 cell = vec3(place, sqrt(y));
  vec4 a = mix(vec4(1, 0, 1, 0), texture(luma_and_u, cell), strength);
  vec4 b = mix(vec4(0, 1, 0, 0), texture(v_and_offsets, cell), strength);
  y = clamp(a.x * y + a.y, 0.0, 1.0);
  uv = clamp(vec2(dot(a.zw, uv), dot(b.xy, uv)) + b.zw, -0.5, 0.5);
  float red = y + RED_FROM_V * uv.y, blue = y + BLUE_FROM_U * uv.x;
  bright = vec4(red, (y - WEIGHTS.r * red - WEIGHTS.b * blue) / WEIGHTS.g, blue, 1);
}`;

/**
 * Draws brightened pictures on a canvas.
 *
 * Example:
 *   brightener.take(video, video.videoWidth, video.videoHeight);
 *   brightener.setGrid(grid);
 *   brightener.draw(1);
 */
export class Brightener {
  #canvas;
  #gl;
  #picture;
  #textures;
  #reduce;
  #brighten;
  #small;
  #readback;
  #denoiser;
  #slope = new Float32Array(256); // of the brightening at full strength, by luma
  /** @type {WebGLSync | null} */
  #drawn = null; // passed when the last picture is finished
  /** @type {Float32Array<ArrayBuffer> | null} */
  #grid = null;
  #loaded = NaN; // the strength of the grid that the textures have, from 1 on

  /**
   * Throws an `Error` where there is no WebGL 2.
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas
   */
  constructor(canvas) {
    const gl = /** @type {WebGL2RenderingContext | null} */ (canvas.getContext("webgl2", OPTIONS));
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.#canvas = canvas;
    this.#gl = gl;
    this.#picture = newTexture(gl, gl.TEXTURE_2D, gl.LINEAR);
    this.#textures = [0, 1].map(() => newTexture(gl, gl.TEXTURE_3D, gl.LINEAR));
    this.#reduce = newProgram(gl, REDUCE);
    this.#brighten = newProgram(gl, BRIGHTEN);
    gl.activeTexture(gl.TEXTURE0 + SEEN_UNIT);
    this.#small = newTarget(gl, newPlane(gl, gl.RGBA8, THUMBNAIL, THUMBNAIL));
    this.#readback = new Readback(gl, 4 * THUMBNAIL * THUMBNAIL);
    this.#denoiser = new Denoiser(gl);
    for (const program of [this.#reduce, this.#brighten]) {
      gl.useProgram(program);
      gl.uniform1i(gl.getUniformLocation(program, "seen"), SEEN_UNIT);
    }
    gl.uniform1i(gl.getUniformLocation(this.#brighten, "luma_and_u"), 1);
    gl.uniform1i(gl.getUniformLocation(this.#brighten, "v_and_offsets"), 2);
  }

  /**
   * Takes what a video, canvas, image or frame shows now as the picture. The size is that of what is
   * drawn: a browser may hand over the pixels of a camera that it scales down as they came.
   * @param {TexImageSource} source
   * @param {number} width
   * @param {number} height
   */
  take(source, width, height) {
    const gl = this.#gl;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
      gl.activeTexture(gl.TEXTURE0 + SEEN_UNIT);
      gl.bindTexture(gl.TEXTURE_2D, this.#picture); // until there is one of that size without noise
    }
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.#picture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, source);
  }

  /**
   * Takes a grid: coefficient, luma level, row, column.
   * @param {Float32Array<ArrayBuffer>} grid
   */
  setGrid(grid) {
    this.#grid = grid;
    this.#loaded = NaN;
  }

  /** @param {Float32Array} grid */
  #load(grid) {
    const gl = this.#gl;
    const cells = LEVELS * CELLS * CELLS;
    this.#textures.forEach((texture, half) => {
      const texels = new Float32Array(4 * cells);
      for (let channel = 0; channel < 4; channel++) {
        const from = (4 * half + channel) * cells;
        for (let cell = 0; cell < cells; cell++) texels[4 * cell + channel] = grid[from + cell];
      }
      gl.activeTexture(gl.TEXTURE1 + half);
      gl.bindTexture(gl.TEXTURE_3D, texture);
      gl.texImage3D(
        gl.TEXTURE_3D, 0, gl.RGBA16F, CELLS, CELLS, LEVELS, 0, gl.RGBA, gl.FLOAT, texels);
    });
  }

  /** What becomes of the noise, in words for a person; empty where it is not to be taken out. */
  get noise() {
    const { problem, isAtWork } = this.#denoiser;
    return problem ? `left in: ${problem}` : isAtWork ? "taken out" : "";
  }

  /** Whether the graphics have not finished the last picture yet. */
  get isLate() {
    const gl = this.#gl;
    return this.#drawn !== null && gl.clientWaitSync(this.#drawn, 0, 0) === gl.TIMEOUT_EXPIRED;
  }

  /**
   * Draws the picture with the grid, which must have come.
   * @param {number} strength 0 leaves the picture as it is, 1 is the network's own, 2 the most
   * @param {number} before share of the width, from the left, that is left as it is
   * @param {object} noise
   * @param {import("./denoiser.js").Denoise} [noise.denoise] how much noise is taken out
   * @param {number} [noise.nowMs] the picture's time
   */
  draw(strength, before = 0, { denoise = "off", nowMs = performance.now() } = {}) {
    const gl = this.#gl;
    const stronger = Math.max(1, strength); // weaker is the shader's work
    if (this.#grid && stronger !== this.#loaded) {
      const grid = strengthened(this.#grid, stronger);
      this.#load(grid);
      this.#slope = curveSlope(grid);
      this.#loaded = stronger;
    }
    const { width, height } = this.#canvas;
    const weaker = Math.min(1, strength);
    const slope = this.#slope.map((value) => 1 + weaker * (value - 1));
    const seen = this.#denoiser.restored(this.#picture, width, height, nowMs, { denoise, slope });
    gl.activeTexture(gl.TEXTURE0 + SEEN_UNIT);
    gl.bindTexture(gl.TEXTURE_2D, seen ?? this.#picture);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    gl.useProgram(this.#brighten);
    gl.uniform1f(gl.getUniformLocation(this.#brighten, "strength"), weaker);
    gl.uniform1f(gl.getUniformLocation(this.#brighten, "before"), before);
    gl.uniform2f(gl.getUniformLocation(this.#brighten, "canvas"), width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    if (this.#drawn) gl.deleteSync(this.#drawn);
    this.#drawn = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
  }

  /** Begins to make the picture's thumbnail; the page need not wait for the graphics. */
  beginThumbnail() {
    const gl = this.#gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#small);
    gl.viewport(0, 0, THUMBNAIL, THUMBNAIL);
    gl.useProgram(this.#reduce);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    this.#readback.begin(THUMBNAIL, THUMBNAIL, gl.RGBA, gl.UNSIGNED_BYTE);
  }

  /**
   * Gives the thumbnail that was begun: 256 rows of 256 pixels of red, green and blue, each the
   * square root of the mean from 0 to 255; then 64 rows of 64 single pixels' luma, as its square root.
   * It is null while the graphics are not ready.
   * @returns {Uint8Array<ArrayBuffer> | null}
   */
  readThumbnail() {
    const rgba = this.#readback.take();
    return rgba && inTurn(rgba);
  }

  /** Gives the graphics back; browsers keep few of them. */
  close() {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** @type {WebGLContextAttributes} */
const OPTIONS = {
  alpha: false, antialias: false, depth: false, desynchronized: false,
  powerPreference: "high-performance", preserveDrawingBuffer: true, // for snapshots
};

/** How many numbers a grid has. */
export const GRID_SIZE = COEFFICIENTS * LEVELS * CELLS * CELLS;

/**
 * The colours, and then alpha of some pixels.
 * @param {Uint8Array} rgba
 */
function inTurn(rgba) {
  const count = THUMBNAIL * THUMBNAIL;
  const parts = new Uint8Array(3 * count + count / PIXELS_EVERY ** 2);
  let to = 0;
  for (let from = 0; from < rgba.length; from += 4) {
    parts[to++] = rgba[from];
    parts[to++] = rgba[from + 1];
    parts[to++] = rgba[from + 2];
  }
  for (let row = 0; row < THUMBNAIL; row += PIXELS_EVERY) {
    for (let column = 0; column < THUMBNAIL; column += PIXELS_EVERY) {
      parts[to++] = rgba[4 * (row * THUMBNAIL + column) + 3];
    }
  }
  return parts;
}
