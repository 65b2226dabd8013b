import com.github.javacliparser.Option;
import com.github.javacliparser.Options;
import com.yahoo.labs.samoa.instances.Attribute;
import com.yahoo.labs.samoa.instances.DenseInstance;
import com.yahoo.labs.samoa.instances.Instance;
import com.yahoo.labs.samoa.instances.Instances;
import com.yahoo.labs.samoa.instances.InstancesHeader;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import moa.classifiers.core.driftdetection.AbstractChangeDetector;
import moa.classifiers.oneclass.HSTrees;
import moa.options.OptionHandler;

/**
 * Runs MOA's detectors over what it is sent on standard input, one request after another, until that ends.
 *
 * A request: verb, class, number of options, their names and values, a whole number, number of rows, number of columns
 * and the values. An answer: "ok" and doubles with their number before them, or "error" and why. Integers are of four
 * bytes, all numbers big-endian, texts as DataInput.readUTF reads them.
 */
public final class MoaRuns {
    public static void main(String[] arguments) throws IOException {
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16));
        System.setOut(new PrintStream(System.err)); // what MOA prints is no answer
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        while (true) {
            String verb;
            try {
                verb = in.readUTF();
            } catch (EOFException end) {
                return;
            }
            answer(verb, in, out);
            out.flush();
        }
    }

    private static void answer(String verb, DataInputStream in, DataOutputStream out) throws IOException {
        String name = in.readUTF();
        String[][] options = new String[in.readInt()][];
        for (int i = 0; i < options.length; i++) {
            options[i] = new String[] {in.readUTF(), in.readUTF()};
        }
        int number = in.readInt();
        double[][] rows = rows(in);
        double[] found;
        try {
            switch (verb) {
                case "flags": found = flags(detector(name, options), column(rows)); break;
                case "time": found = timeNs(detectors(name, options, number), column(rows)); break;
                case "scores": found = scores(trees(options, number), rows); break;
                case "time scores": found = timeScoresNs(trees(options, number), rows); break;
                default: throw new IllegalArgumentException("there is no verb " + verb);
            }
        } catch (ReflectiveOperationException | RuntimeException | LinkageError error) {
            out.writeUTF("error");
            out.writeUTF(error.toString());
            return;
        }
        out.writeUTF("ok");
        out.writeInt(found.length);
        for (double value : found) {
            out.writeDouble(value);
        }
    }

    private static double[][] rows(DataInputStream in) throws IOException {
        double[][] rows = new double[in.readInt()][in.readInt()];
        for (double[] row : rows) {
            byte[] bytes = new byte[8 * row.length];
            in.readFully(bytes);
            ByteBuffer.wrap(bytes).asDoubleBuffer().get(row);
        }
        return rows;
    }

    private static double[] column(double[][] rows) {
        return Arrays.stream(rows).mapToDouble(row -> row[0]).toArray();
    }

    private static AbstractChangeDetector detector(String name, String[][] options) throws ReflectiveOperationException {
        Class<?> found = Class.forName("moa.classifiers.core.driftdetection." + name);
        AbstractChangeDetector detector = (AbstractChangeDetector) found.getDeclaredConstructor().newInstance();
        set(detector, options);
        detector.prepareForUse();
        return detector;
    }

    private static AbstractChangeDetector[] detectors(String name, String[][] options, int count)
            throws ReflectiveOperationException {
        AbstractChangeDetector[] detectors = new AbstractChangeDetector[count];
        for (int i = 0; i < count; i++) {
            detectors[i] = detector(name, options);
        }
        return detectors;
    }

    private static void set(OptionHandler handler, String[][] options) {
        Options known = handler.getOptions();
        for (String[] given : options) {
            Option option = null;
            List<String> names = new ArrayList<>();
            for (Option one : known.getOptionArray()) {
                names.add(one.getName() + "=" + one.getValueAsCLIString());
                option = one.getName().equals(given[0]) ? one : option;
            }
            if (option == null) {
                throw new IllegalArgumentException("no option is called " + given[0] + "; there are " + names);
            }
            option.setValueViaCLIString(given[1]);
        }
    }

    /** Of each observation: 0, 1 for a warning, 2 for a drift. */
    private static double[] flags(AbstractChangeDetector detector, double[] x) {
        double[] flags = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            detector.input(x[i]);
            flags[i] = detector.getChange() ? 2 : detector.getWarningZone() ? 1 : 0;
        }
        return flags;
    }

    /** Ten rounds; series take turns, and the drifts are summed so that no loop can be left out. */
    private static double[] timeNs(AbstractChangeDetector[] series, double[] x) {
        double[] times = new double[10];
        int drifts = 0;
        for (int round = 0; round < times.length; round++) {
            long start = System.nanoTime();
            int row = 0;
            for (double value : x) {
                AbstractChangeDetector detector = series[row];
                detector.input(value);
                drifts += detector.getChange() ? 1 : 0;
                row = row + 1 == series.length ? 0 : row + 1;
            }
            times[round] = (System.nanoTime() - start) / (double) x.length;
        }
        System.err.println(drifts);
        return times;
    }

    private static HSTrees trees(String[][] options, int seed) {
        HSTrees trees = new HSTrees();
        set(trees, options);
        trees.setRandomSeed(seed);
        return trees;
    }

    /** The score of each row, then the row is learned. */
    private static double[] scores(HSTrees trees, double[][] rows) {
        double[] scores = new double[rows.length];
        Instance[] instances = instances(trees, rows);
        for (int i = 0; i < rows.length; i++) {
            scores[i] = trees.getAnomalyScore(instances[i]);
            trees.trainOnInstance(instances[i]);
        }
        return scores;
    }

    private static double[] timeScoresNs(HSTrees trees, double[][] rows) {
        double[] times = new double[10];
        double sum = 0;
        Instance[] instances = instances(trees, rows);
        for (int round = 0; round < times.length; round++) {
            long start = System.nanoTime();
            for (Instance instance : instances) {
                sum += trees.getAnomalyScore(instance);
                trees.trainOnInstance(instance);
            }
            times[round] = (System.nanoTime() - start) / (double) rows.length;
        }
        System.err.println(sum);
        return times;
    }

    private static Instance[] instances(HSTrees trees, double[][] rows) {
        int columns = rows.length == 0 ? 0 : rows[0].length;
        List<Attribute> attributes = new ArrayList<>();
        for (int i = 0; i < columns; i++) {
            attributes.add(new Attribute("x" + i));
        }
        attributes.add(new Attribute("class", List.of("normal", "anomaly")));
        Instances header = new Instances("rows", attributes, 0);
        header.setClassIndex(columns);
        trees.setModelContext(new InstancesHeader(header));
        trees.prepareForUse();
        Instance[] instances = new Instance[rows.length];
        for (int i = 0; i < rows.length; i++) {
            instances[i] = new DenseInstance(1.0, Arrays.copyOf(rows[i], columns + 1));
            instances[i].setDataset(header);
        }
        return instances;
    }
}
